import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {describeHold} from '../../../../formats/omaha/hold.ts';
import {decodeResponse, encodeResponse, type UpdateHold} from '../../../../formats/omaha/response.ts';

const NOW = Date.UTC(2026, 0, 5, 10);
const HOLD: UpdateHold = {
  version: '1.2.0',
  reason: 'pace',
  position: 12,
  notBefore: NOW / 1000 + 3600,
  detail: 'its turn has not come',
};
const answerWith = (hold: UpdateHold): Uint8Array =>
  encodeResponse({
    server: '',
    apps: [
      {
        ...{appId: 'a', status: 'ok', ping: true, events: 0},
        updateCheck: {status: 'noupdate', pollSeconds: null, codebases: [], manifest: null, hold},
      },
    ],
  });

describe('a hold', () => {
  it('is a sentence with what is known', () => {
    assert.equal(
      describeHold(HOLD, NOW),
      '1.2.0 is held back: its turn has not come; position 12 in line; not before Mon 11:00 (UTC)',
    );
    assert.equal(
      describeHold({...HOLD, position: null, notBefore: null}, NOW),
      '1.2.0 is held back: its turn has not come',
    );
  });

  it('crosses the wire', () => {
    for (const hold of [HOLD, {...HOLD, position: null, notBefore: null}])
      assert.deepEqual(decodeResponse(answerWith(hold)).apps[0]?.updateCheck?.hold, hold);
  });

  it('has a time that can be written as one', () => {
    const latest = {...HOLD, notBefore: 253_402_300_799};
    assert.match(describeHold(latest, NOW), /not before Fri 9999-12-31 23:59/);
    assert.equal(decodeResponse(answerWith(latest)).apps[0]?.updateCheck?.hold?.notBefore, latest.notBefore);
    assert.throws(() => decodeResponse(answerWith({...HOLD, notBefore: 253_402_300_800})), /is no time/);
  });
});
