import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {LockError} from '../../../coordination/lock.ts';
import {
  FleetLockError,
  decodeFleetLockRequest,
  describeFleetLockFailure,
  encodeFleetLockFailure,
  encodeFleetLockRequest,
} from '../../../formats/fleet-lock/protocol.ts';
import type {ServerRequest} from '../../../platform/http-server.ts';
import {type FleetLockEvent, createFleetLockApp} from '../../../server/fleet-lock/app.ts';
import type {SlotKeeper} from '../../../server/fleet-lock/keeper.ts';
import {metricsAnswer} from '../../../server/fleet-lock/metrics.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

const BODY = '{"client_params":{"id":"c988d2509fdf4ef0a1d4a4fb6c9fe4d6","group":"default"}}';

function request(
  change: Partial<Omit<ServerRequest, 'body'>> & {body?: string | Uint8Array} = {},
): ServerRequest {
  const {body = BODY, ...rest} = change;
  return {
    ...{method: 'POST', path: '/v1/pre-reboot', headers: {'fleet-lock-protocol': 'true'}, remote: '10.0.0.7'},
    ...{isTls: false, query: '', stream: null, body: Buffer.from(body), ...rest},
  };
}

async function ask(
  asked: ServerRequest,
  keeper: Partial<SlotKeeper> = {},
): Promise<{status: number; body: string; events: FleetLockEvent[]; metrics: string}> {
  const events: FleetLockEvent[] = [];
  const app = createFleetLockApp({
    keeper: {acquire: () => Promise.resolve({kind: 'held'}), release: () => Promise.resolve(), ...keeper},
    groups: ['default', 'edge.1'],
    onEvent: (event) => events.push(event),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  });
  const {status, body} = await app.handle(asked);
  const metrics = metricsAnswer(app.counts()).body as Uint8Array;
  return {
    status,
    body: Buffer.from(body as Uint8Array).toString(),
    events,
    metrics: Buffer.from(metrics).toString(),
  };
}

describe('a FleetLock server', () => {
  it('grants and takes back', async () => {
    const asked: string[] = [];
    const keeper: SlotKeeper = {
      acquire(group, id, reason) {
        asked.push(`acquire ${group} ${id} ${reason}`);
        return Promise.resolve({kind: 'held'});
      },
      release(group, id) {
        asked.push(`release ${group} ${id}`);
        return Promise.resolve();
      },
    };
    const granted = await ask(request(), keeper);
    assert.deepEqual([granted.status, granted.body], [200, '']);
    assert.equal((await ask(request({path: '/v1/steady-state'}), keeper)).status, 200);
    assert.deepEqual(asked, [
      'acquire default c988d2509fdf4ef0a1d4a4fb6c9fe4d6 FleetLock, asked from 10.0.0.7',
      'release default c988d2509fdf4ef0a1d4a4fb6c9fe4d6',
    ]);
    assert.match(granted.metrics, /^caisson_fleet_lock_requests_total\{outcome="granted"\} 1$/m);
    assert.match(granted.metrics, /^caisson_fleet_lock_requests_total\{outcome="full"\} 0$/m);
  });

  it('says that all slots are taken', async () => {
    const full = await ask(request(), {acquire: () => Promise.resolve({kind: 'full', max: 2, holders: 2})});
    assert.equal(full.status, 409);
    assert.deepEqual(JSON.parse(full.body), {kind: 'failed_lock', value: 'all 2 semaphore slots are taken'});
    assert.deepEqual(full.events[0], {
      ...{verb: 'pre-reboot', remote: '10.0.0.7', outcome: 'full', detail: 'all 2 semaphore slots are taken'},
      client: {id: 'c988d2509fdf4ef0a1d4a4fb6c9fe4d6', group: 'default'},
    });
  });

  const refused: [string, ServerRequest, number, RegExp][] = [
    ['without its header', request({headers: {}}), 400, /invalid_client_identity.*header/],
    ['with another header', request({headers: {'fleet-lock-protocol': '1'}}), 400, /header/],
    ['without a body', request({body: ''}), 400, /no JSON/],
    ['that is no UTF-8', request({body: Buffer.from([0x22, 0xff, 0x22])}), 400, /no UTF-8/],
    ['of another form', request({body: '{"client_params":{"id":5,"group":"default"}}'}), 400, /another form/],
    ['without an id', request({body: BODY.replace(/c988\w+/, '')}), 400, /the id is empty/],
    ['with a strange id', request({body: BODY.replace(/c988\w+/, 'a\\u0007')}), 400, /not printable/],
    [
      'with a strange group',
      request({body: BODY.replace('default', 'my group')}),
      400,
      /the group is not made/,
    ],
    ['of another group', request({body: BODY.replace('default', 'edge.2')}), 400, /unknown_group.*edge\.2/],
    ['by GET', request({method: 'GET'}), 405, /POST/],
    ['elsewhere', request({path: '/v1/pre-reboot/'}), 404, /nothing here/],
  ];
  for (const [what, asked, status, pattern] of refused)
    it(`refuses a request ${what}`, async () => {
      const answer = await ask(asked, {acquire: () => Promise.reject(new Error('was asked'))});
      assert.equal(answer.status, status);
      assert.match(answer.body, pattern);
    });

  for (const [code, kind] of [
    ['unreachable', 'failed_sem_init'],
    ['corrupt', 'failed_sem_init'],
    ['contended', 'failed_lock'],
  ] as const)
    it(`says so when its keeper is ${code}`, async () => {
      const answer = await ask(request(), {acquire: () => Promise.reject(new LockError(code, 'the reason'))});
      assert.equal(answer.status, 500);
      assert.deepEqual(JSON.parse(answer.body), {kind, value: 'the reason'});
    });
});

describe('the FleetLock protocol', () => {
  it('is what Zincati sends', () => {
    const client = {id: 'c988d2509fdf4ef0a1d4a4fb6c9fe4d6', group: 'default'};
    assert.equal(encodeFleetLockRequest(client), BODY);
    assert.deepEqual(decodeFleetLockRequest(BODY), client);
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        succeedsOrThrows(FleetLockError, () => decodeFleetLockRequest(text));
        describeFleetLockFailure(text);
      }),
    );
  });

  it('shows a reason in few and printable characters', () => {
    const text = encodeFleetLockFailure('failed_lock', `a\u001b[31m${'x'.repeat(1000)}`);
    const shown = describeFleetLockFailure(text) ?? '';
    assert.match(shown, /^failed_lock: a \[31mxxx/);
    assert.ok(shown.length <= 300);
    assert.equal(describeFleetLockFailure('<html>'), null);
  });
});
