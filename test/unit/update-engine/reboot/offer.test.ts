import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createOfferGate} from '../../../../update-engine/reboot/offer.ts';

const PLAN = {kind: 'update', version: '2.0.0', previousVersion: '1.0.0'} as const;
const MINUTE = 60_000;
const signal = new AbortController().signal;

describe('the gate of the offer', () => {
  it('has the server asked when that is long ago, and opens when it has been', async () => {
    let last: number | null = null;
    let now = 100 * MINUTE;
    let asked = 0;
    const gate = createOfferGate({
      concerns: () => true,
      lastAsked: () => last,
      askServer: () => (asked += 1),
      now: () => now,
    });
    assert.deepEqual(await gate.ask(PLAN, signal), {
      kind: 'closed',
      detail: 'the server is asked whether it still offers 2.0.0',
      againMs: 5000,
    });
    last = now;
    assert.equal((await gate.ask(PLAN, signal)).kind, 'open');
    now += 5 * MINUTE - 1;
    assert.equal((await gate.ask(PLAN, signal)).kind, 'open');
    assert.equal(asked, 1);
    now += 1;
    assert.equal((await gate.ask(PLAN, signal)).kind, 'closed');
    assert.equal(asked, 2);
  });

  it('is open for what no channel offered', async () => {
    const gate = createOfferGate({
      concerns: () => false,
      lastAsked: () => null,
      askServer: () => assert.fail('asked'),
      now: () => 0,
    });
    assert.equal((await gate.ask(PLAN, signal)).kind, 'open');
  });
});
