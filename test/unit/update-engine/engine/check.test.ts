import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {CAISSON_APP_ID} from '../../../../formats/omaha/request.ts';
import {encodeResponse, type UpdateHold} from '../../../../formats/omaha/response.ts';
import {parseUpdateConf} from '../../../../formats/update-conf.ts';
import type {HttpExchange} from '../../../../platform/http.ts';
import {type Checked, lookAtServer} from '../../../../update-engine/engine/check.ts';
import type {LookOutcome, Target} from '../../../../update-engine/machine/states.ts';
import {TARGET} from '../../../support/engine-samples.ts';

const HELD: UpdateHold = {
  ...{reason: 'pace', version: '2.0.0', position: 3, notBefore: null},
  detail: 'it is number 3',
};

/** What a host that waits for its restart concludes from an answer without an update. */
async function lookWith(hold: UpdateHold | null, target: Target = TARGET): Promise<LookOutcome['kind']> {
  return (await lookAt(hold, target)).outcome.kind;
}

async function lookAt(hold: UpdateHold | null, target: Target): Promise<Checked<LookOutcome>> {
  const updateCheck = {status: 'noupdate', pollSeconds: null, codebases: [], manifest: null, hold};
  const app = {appId: CAISSON_APP_ID, status: 'ok', ping: true, events: 0, updateCheck};
  const http: HttpExchange = {
    exchange: () =>
      Promise.resolve({
        status: 200,
        headers: {},
        body: (async function* () {
          yield await Promise.resolve(Buffer.from(encodeResponse({server: '', apps: [app]})));
        })(),
      }),
  };
  return lookAtServer(http, 'http://updates/', target, {
    conf: parseUpdateConf([]),
    host: {
      ...{version: '1.0.0', alephVersion: '', group: 'stable', machineId: '', machineAlias: '', bootId: ''},
      oem: {id: '', version: ''},
    },
    now: 0,
    signal: new AbortController().signal,
    channel: {
      look: () => Promise.resolve({kind: 'unchecked', reason: 'not here'}),
      add: () => Promise.resolve(),
    },
  });
}

describe('lookAtServer', () => {
  it('tells a release that is withdrawn from one that is only held back', async () => {
    assert.equal(await lookWith(null), 'withdrawn');
    assert.equal(await lookWith(HELD), 'nothing');
    assert.equal(await lookWith({...HELD, version: '2.1.0'}), 'withdrawn');
  });

  it('hands on why another release is held back', async () => {
    const hold = {...HELD, version: '2.1.0'};
    assert.deepEqual((await lookAt(hold, TARGET)).onOffer, {version: '2.1.0', hold});
    assert.deepEqual((await lookAt(null, TARGET)).onOffer, {version: null, hold: null});
  });

  it('takes a release whose rollout was halted for withdrawn, unless an operator chose it', async () => {
    const halted: UpdateHold = {...HELD, reason: 'halted'};
    assert.equal(await lookWith(halted), 'withdrawn');
    assert.equal(await lookWith(halted, {...TARGET, followsChannel: false}), 'nothing');
  });
});
