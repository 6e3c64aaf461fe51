/** FleetLock over real sockets and a real etcd: our client, our server, and requests as Zincati and curl send them. */
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {after, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {type EtcdKeeper, openEtcdKeeper} from '../../coordination/etcd-lock.ts';
import {openFleetLock} from '../../coordination/fleet-lock/client.ts';
import type {LockError, RebootLock} from '../../coordination/lock.ts';
import {createHttpClient} from '../../platform/http.ts';
import {createSlotKeeper} from '../../server/fleet-lock/keeper.ts';
import {type FleetLockServer, serveFleetLock} from '../../server/fleet-lock/serve.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';

const ASK = {reason: 'restarting', version: '0.2.0'};
const [ONE, TWO] = ['1'.repeat(32), '2'.repeat(32)];
const signal = new AbortController().signal;

let etcd: EtcdCluster;
let keeper: EtcdKeeper;
let server: FleetLockServer;

before(async () => {
  etcd = await startEtcd();
  keeper = openEtcdKeeper({
    settings: {
      ...{endpoints: etcd.endpoints, caFile: null, certFile: null, keyFile: null},
      ...{username: null, password: null, group: ''},
    },
    createHttp: createHttpClient,
    now: Date.now,
    sleep: (ms, until) => sleep(ms, undefined, {signal: until}),
    random: Math.random,
  });
  server = await serveFleetLock({
    keeper: createSlotKeeper(keeper),
    groups: ['default', 'edge'],
    ...{host: '127.0.0.1', port: 0, tls: null},
    onEvent: () => undefined,
    onAccess: () => undefined,
  });
});
after(async () => {
  await server.close(1000);
  await keeper.close();
  await etcd.stop();
});

function lockOf(id: string, url = server.url, group = 'default', timeoutMs = 60_000): RebootLock {
  return openFleetLock({settings: {url, group}, id, http: createHttpClient({}), timeoutMs});
}

async function using<T>(lock: RebootLock, use: (lock: RebootLock) => Promise<T>): Promise<T> {
  try {
    return await use(lock);
  } finally {
    await lock.close();
  }
}

async function holders(group = ''): Promise<string[]> {
  return (await keeper.group(group).view(signal)).holders.map(({id}) => id);
}

describe('our client and our server', () => {
  it('share the slots of the lock in etcd, and say so when they are taken', async () => {
    await using(lockOf(ONE), async (one) => {
      await using(lockOf(TWO), async (two) => {
        assert.deepEqual(await one.acquire(ASK, signal), {kind: 'held', since: null});
        assert.deepEqual(await one.acquire(ASK, signal), {kind: 'held', since: null});
        assert.deepEqual(await holders(), [ONE]);
        const full = {kind: 'full', max: null, holders: [], position: null, waiting: null};
        assert.deepEqual(await two.acquire(ASK, signal), full);
        assert.equal(await one.keep(ASK, signal), 'kept');
        assert.deepEqual(await holders(), [ONE]);
        assert.equal(await one.release(signal), 'released');
        assert.equal(await one.release(signal), 'released');
        assert.deepEqual(await two.acquire(ASK, signal), {kind: 'held', since: null});
        assert.deepEqual(await holders(), [TWO]);
        // A host of ours finds it taken, and by whom.
        const answer = await keeper.group('').acquire('a host of ours', ASK, signal);
        assert.equal(answer.kind, 'full');
        assert.deepEqual(
          answer.holders.map(({id, reason}) => `${id}: ${reason}`),
          [`${TWO}: FleetLock, asked from 127.0.0.1`],
        );
        assert.equal(await two.release(signal), 'released');
      });
    });
  });

  it('keep groups apart, and refuse those that are not known', async () => {
    await using(lockOf(ONE, server.url, 'edge'), async (lock) => {
      await lock.acquire(ASK, signal);
      assert.deepEqual([await holders(), await holders('edge')], [[], [ONE]]);
      await lock.release(signal);
    });
    await using(lockOf(ONE, server.url, 'egde'), async (lock) => {
      await assert.rejects(lock.acquire(ASK, signal), {
        code: 'refused',
        message: /unknown_group: unknown group egde/,
      });
    });
  });

  it('give a slot to one of twenty that ask at once', async () => {
    const ids = Array.from({length: 20}, (_, index) => `${index}`.padStart(32, 'a'));
    const answers = await Promise.all(
      ids.map((id) =>
        using(lockOf(id), (lock) => lock.acquire(ASK, signal).catch((error: LockError) => error.code)),
      ),
    );
    const held = ids.filter((_, index) => {
      const answer = answers[index];
      return typeof answer === 'object' && answer.kind === 'held';
    });
    assert.deepEqual(await holders(), held);
    assert.equal(held.length, 1);
    await using(lockOf(held[0] ?? ''), (lock) => lock.release(signal));
  });
});

describe('our server', () => {
  it('answers what Zincati sends, byte by byte', async () => {
    const post = (verb: string): Promise<Response> =>
      fetch(`${server.url}/v1/${verb}`, {
        method: 'POST',
        headers: {'fleet-lock-protocol': 'true'},
        body: '{\n  "client_params": {\n    "id": "c988d2509fdf4ef0a1d4a4fb6c9fe4d6",\n    "group": "default"\n  }\n}',
      });
    assert.equal((await post('pre-reboot')).status, 200);
    assert.deepEqual(await holders(), ['c988d2509fdf4ef0a1d4a4fb6c9fe4d6']);
    assert.equal((await post('steady-state')).status, 200);
    assert.deepEqual(await holders(), []);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /caisson_fleet_lock_requests_total\{outcome="released"\} [1-9]/);
  });

  it('does not read without end', async () => {
    const answer = await fetch(`${server.url}/v1/pre-reboot`, {
      ...{method: 'POST', headers: {'fleet-lock-protocol': 'true'}, body: 'x'.repeat(5000)},
    });
    assert.equal(answer.status, 413);
  });
});

describe('our client', () => {
  async function against(
    status: number,
    body: string,
    use: (lock: RebootLock) => Promise<void>,
    timeoutMs = 60_000,
  ): Promise<void> {
    const other = createServer((_, response) => {
      if (status > 0) response.writeHead(status).end(body);
    });
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const {port} = other.address() as AddressInfo;
    try {
      await using(lockOf(ONE, `http://127.0.0.1:${port}`, 'default', timeoutMs), use);
    } finally {
      other.closeAllConnections();
      await new Promise((done) => other.close(done));
    }
  }

  it('understands airlock: all slots locked is no fault', async () => {
    const body = '{"kind":"failed_lock","value":"all 1 semaphore slots currently locked"}';
    await against(500, body, async (lock) => {
      assert.equal((await lock.acquire(ASK, signal)).kind, 'full');
    });
  });

  const faults: [string, number, string, string, RegExp][] = [
    [
      'another reason',
      500,
      '{"kind":"failed_sem_init","value":"no etcd"}',
      'refused',
      /failed_sem_init: no etcd/,
    ],
    ['a page of a proxy', 502, '<html>bad gateway</html>', 'refused', /answered 502 without a reason/],
    ['a redirection', 302, '', 'refused', /answered 302/],
    ['an answer without end', 500, 'x'.repeat(100_000), 'refused', /answered 500 without a reason/],
  ];
  for (const [what, status, body, code, message] of faults)
    it(`takes ${what} for no leave`, async () => {
      await against(status, body, async (lock) => {
        await assert.rejects(lock.acquire(ASK, signal), {code, message});
        await assert.rejects(lock.release(signal), {code, message});
      });
    });

  it('does not wait for ever, and can be called off', async () => {
    await against(0, '', (lock) => assert.rejects(lock.acquire(ASK, signal), {code: 'timed-out'}), 200);
    const late = AbortSignal.timeout(100);
    await against(0, '', (lock) => assert.rejects(lock.acquire(ASK, late), {name: 'TimeoutError'}));
  });

  it('says when nobody is there', async () => {
    await using(lockOf(ONE, 'http://127.0.0.1:1'), async (lock) => {
      await assert.rejects(lock.acquire(ASK, signal), {code: 'unreachable'});
    });
  });
});
