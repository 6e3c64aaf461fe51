/** The reboot lock when etcd is down, alone, full, slow, or its answers are lost: a name for each, and no slot too many. */
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {setImmediate as turn} from 'node:timers/promises';
import {type EtcdKeeper, type EtcdKeeperOptions, openEtcdKeeper} from '../../coordination/etcd-lock.ts';
import {LockError} from '../../coordination/lock.ts';
import {semaphoreKey} from '../../formats/semaphore/keys.ts';
import {createEtcdClient} from '../../platform/etcd/client.ts';
import {EtcdError} from '../../platform/etcd/errors.ts';
import {createHttpClient} from '../../platform/http.ts';
import {listenHttp} from '../../platform/http-server.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {keeperOptions, refusesLock} from '../support/etcd-lock.ts';
import {freePorts} from '../support/free-port.ts';
import {type Link, openLink} from '../support/link.ts';

const never = new AbortController().signal;
const ASK = {reason: 'update', version: '1.2.3'};
const QUICK: Partial<EtcdKeeperOptions> = {timeouts: {attemptTimeoutMs: 1500, timeoutMs: 5000}};

async function withKeeper<T>(
  options: EtcdKeeperOptions,
  use: (keeper: EtcdKeeper) => Promise<T>,
): Promise<T> {
  const keeper = openEtcdKeeper(options);
  try {
    return await use(keeper);
  } finally {
    await keeper.close();
  }
}

describe('etcd that cannot be had', () => {
  it('is not there', async () => {
    const [port = 0] = await freePorts(1);
    const endpoints = [`http://127.0.0.1:${port}`, 'http://name.invalid:2379'];
    await withKeeper(keeperOptions({endpoints}, {}, QUICK), async (keeper) => {
      const error = await refusesLock(
        'unreachable',
        /127\.0\.0\.1.*ECONNREFUSED.*; etcd at http:\/\/name\.invalid/,
        keeper.group().acquire('a', ASK, never),
      );
      assert.equal(error.retryable, true);
      await refusesLock('unreachable', /ECONNREFUSED/, keeper.group().release('a', never));
      const [member] = await keeper.members(never);
      assert.ok(member?.kind === 'failed' && member.error.code === 'unreachable');
    });
  });

  it('is something else', async () => {
    const server = await listenHttp({
      host: '127.0.0.1',
      port: 0,
      tls: null,
      maxBodyBytes: 1 << 16,
      handle: ({path}) =>
        Promise.resolve({
          status: path.endsWith('/range') ? 200 : 404,
          headers: {'content-type': 'text/html'},
          body: Buffer.from('<html>'),
        }),
      onAccess: () => undefined,
    });
    await withKeeper(keeperOptions({endpoints: [server.url]}, {}, QUICK), (keeper) =>
      refusesLock('refused', /does not speak etcd's v3 API/, keeper.group().acquire('a', ASK, never)),
    );
    await server.close(0);
  });
});

describe('three members', () => {
  let etcd: EtcdCluster;
  before(async () => {
    etcd = await startEtcd({members: 3});
  });
  after(() => etcd.stop());

  it('serve while one of them is down, whichever is named first', async () => {
    await etcd.members[0]?.kill();
    try {
      await withKeeper(keeperOptions(etcd, {group: 'two'}, QUICK), async (keeper) => {
        // The rest may have to find a leader first.
        const deadline = AbortSignal.timeout(30_000);
        let kind: string | undefined;
        while (kind === undefined)
          kind = await keeper
            .group()
            .acquire('a', ASK, deadline)
            .then(
              (answer) => answer.kind,
              (error: unknown) => {
                if (error instanceof LockError && error.retryable) return undefined;
                throw error;
              },
            );
        assert.equal(kind, 'held');
        const members = await keeper.members(never);
        assert.deepEqual(
          members.map((member) => member.kind),
          ['failed', 'answers', 'answers'],
        );
        assert.equal(members.filter((member) => member.kind === 'answers' && member.isLeader).length, 1);
      });
    } finally {
      await etcd.members[0]?.start();
    }
  });

  it('do not answer when only one is left, and say that it is alone', async () => {
    await Promise.all([etcd.members[1]?.kill(), etcd.members[2]?.kill()]);
    try {
      await withKeeper(keeperOptions(etcd, {group: 'alone'}, QUICK), async (keeper) => {
        // Until it has noticed, it does not answer at all.
        const deadline = AbortSignal.timeout(30_000);
        for (;;) {
          const error: unknown = await keeper
            .group()
            .acquire('a', ASK, deadline)
            .catch((reason: unknown) => reason);
          assert.ok(error instanceof LockError, String(error));
          if (error.code !== 'timed-out') {
            assert.equal(error.code, 'no-quorum', error.message);
            assert.match(error.message, /no leader/);
            assert.match(error.hint ?? '', /more than half/);
            break;
          }
        }
        const [alone] = await keeper.members(never);
        assert.ok(alone?.kind === 'answers' && !alone.hasLeader);
      });
    } finally {
      await Promise.all([etcd.members[1]?.start(), etcd.members[2]?.start()]);
    }
  });
});

/** Writes until there is no more room. */
async function fill({endpoints}: EtcdCluster): Promise<void> {
  const http = createHttpClient({isDirect: true});
  const client = createEtcdClient({endpoints, http, user: null});
  const value = Buffer.alloc(1 << 20, 'x');
  const isFull = async (index: number): Promise<boolean> => {
    try {
      await client.txn([], [{kind: 'put', key: `junk/${index}`, value}], never);
      return false;
    } catch (error) {
      assert.ok(error instanceof EtcdError && error.code === 'read-only', String(error));
      return true;
    }
  };
  let index = 0;
  while (!(await isFull(index))) index += 1;
  await http.close();
}

describe('a member that has no more room', () => {
  it('is read-only by name, and gives slots back once it has room', async () => {
    const etcd = await startEtcd({args: [`--quota-backend-bytes=${16 << 20}`]});
    try {
      await withKeeper(keeperOptions(etcd, {group: 'room'}, QUICK), async (keeper) => {
        const group = keeper.group();
        await group.acquire('a', ASK, never);
        await fill(etcd);
        assert.match(await etcd.etcdctl('alarm', 'list'), /NOSPACE/);
        const error = await refusesLock('read-only', /space exceeded/, group.release('a', never));
        assert.match(error.hint ?? '', /alarm disarm/);
        await refusesLock('read-only', /space exceeded/, group.setMax(2, never));
        // Reading goes on: it is seen who holds what, and that nobody else gets in.
        const answer = await group.acquire('b', ASK, never);
        assert.ok(answer.kind === 'full' && answer.position === null);
        const [member] = await keeper.members(never);
        assert.ok(member?.kind === 'answers' && member.problems.includes('NOSPACE'));

        const status = JSON.parse(await etcd.etcdctl('endpoint', 'status', '-w', 'json')) as [
          {Status: {header: {revision: number}}},
        ];
        await etcd.etcdctl('del', '--prefix', 'junk/');
        await etcd.etcdctl('compact', String(status[0].Status.header.revision + 1));
        await etcd.etcdctl('defrag');
        await etcd.etcdctl('alarm', 'disarm');
        assert.equal(await group.release('a', never), 'released');
      });
    } finally {
      await etcd.stop();
    }
  });
});

describe('a link', () => {
  let etcd: EtcdCluster;
  let link: Link;
  let through: {endpoints: string[]};
  before(async () => {
    etcd = await startEtcd();
    const [port = 0] = await freePorts(1);
    link = await openLink(port, () => etcd.members[0]?.clientPort ?? 0);
    through = {endpoints: [`http://127.0.0.1:${port}`]};
  });
  after(async () => {
    await link.close();
    await etcd.stop();
  });

  it('that is slow is waited for, up to a point', async () => {
    await withKeeper(keeperOptions(through, {group: 'slow'}, QUICK), async (keeper) => {
      link.delay(200);
      assert.equal((await keeper.group().acquire('a', ASK, never)).kind, 'held');
      link.delay(4000);
      const error = await refusesLock(
        'timed-out',
        /in time|deadline/,
        keeper.group().acquire('b', ASK, never),
      );
      assert.equal(error.retryable, true);
      link.delay(0);
    });
  });

  it('that is silent is passed over for the next member', async () => {
    link.set('silent');
    const endpoints = [...through.endpoints, ...etcd.endpoints];
    await withKeeper(keeperOptions({endpoints}, {group: 'silent'}, QUICK), async (keeper) => {
      assert.equal((await keeper.group().acquire('a', ASK, never)).kind, 'held');
    });
    link.set('open');
  });

  /** A keeper whose next write is done, and its answer lost. */
  const losing = (group: string, lose: (url: string) => boolean): EtcdKeeperOptions =>
    keeperOptions(
      through,
      {group},
      {
        ...QUICK,
        createHttp(options) {
          const http = createHttpClient(options);
          return {
            ...http,
            async exchange(url, request) {
              const answer = await http.exchange(url, request);
              if (!lose(url)) return answer;
              for await (const chunk of answer.body) void chunk;
              link.set('cut');
              link.set('open');
              // In the second turn from here the client has seen that, and asks again by another connection.
              await turn();
              await turn();
              throw new Error('the connection broke');
            },
          };
        },
      },
    );

  it('that loses the answer to a write does not make it two', async () => {
    let toLose = 1;
    await withKeeper(
      losing('lost', (url) => url.endsWith('/kv/txn') && toLose-- > 0),
      async (keeper) => {
        const group = keeper.group();
        assert.equal((await group.acquire('a', ASK, never)).kind, 'held');
        assert.deepEqual(
          (await group.view(never)).holders.map(({id}) => id),
          ['a'],
        );
        toLose = 1;
        assert.equal(await group.release('a', never), 'released');
        assert.deepEqual((await group.view(never)).holders, []);
      },
    );
  });

  it('that loses all answers leaves it open, and the next answer is certain', async () => {
    let loses: 'from the next write on' | 'all' | 'none' = 'from the next write on';
    const lose = (url: string): boolean => {
      if (loses === 'from the next write on' && url.endsWith('/kv/txn')) loses = 'all';
      return loses === 'all';
    };
    await withKeeper(losing('open', lose), async (keeper) => {
      const group = keeper.group();
      await refusesLock('unreachable', /broke/, group.setMax(3, never));
      loses = 'none';
      assert.equal(await group.release('a', never), 'not-held');
      assert.equal((await group.view(never)).max, 3);
    });
  });

  it('that holds a write back until later does not bring back a slot that was given back', async () => {
    // The write is on its way; its host gives up, and asks to be told that it holds nothing.
    const held: (() => void)[] = [];
    let late: Promise<unknown> = Promise.resolve();
    const options = keeperOptions(
      etcd,
      {group: 'late'},
      {
        ...QUICK,
        createHttp(settings) {
          const http = createHttpClient(settings);
          return {
            ...http,
            async exchange(url, request) {
              if (!url.endsWith('/kv/txn') || held.length > 0) return http.exchange(url, request);
              late = new Promise<void>((resolve) => held.push(resolve)).then(() =>
                http.exchange(url, {...request, signal: never}),
              );
              return new Promise((_, reject) => {
                request.signal.addEventListener('abort', () => reject(new Error('given up')));
              });
            },
          };
        },
      },
    );
    await withKeeper(options, async (keeper) => {
      const group = keeper.group();
      const asking = new AbortController();
      const asked = group.acquire('a', ASK, asking.signal).catch((error: unknown) => error);
      while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
      asking.abort(new Error('the update was withdrawn'));
      assert.match(String(await asked), /withdrawn/);
      assert.equal(await group.release('a', never), 'not-held');
      held[0]?.();
      await late;
      assert.deepEqual((await group.view(never)).holders, []);
    });
    const document = await etcd.etcdctl('get', '--print-value-only', semaphoreKey('late'));
    assert.equal(document.trimEnd(), '{"semaphore":1,"max":1,"holders":null}');
  });
});
