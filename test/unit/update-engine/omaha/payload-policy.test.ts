import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {Offer} from '../../../../formats/omaha/offer.ts';
import {
  type PayloadState,
  afterDownload,
  afterFailure,
  afterProgress,
  currentUrl,
  payloadStateFor,
  payloadStateSchema,
  retryDelayMs,
  waitsUntil,
} from '../../../../update-engine/omaha/payload-policy.ts';
import {fc} from '../../../support/property.ts';

const OFFER: Offer = {
  version: '1.4.0',
  urls: ['http://a.example/p', 'http://b.example/p'],
  bytes: 1000,
  sha256: 'a'.repeat(64),
  isDelta: false,
  disableBackoff: false,
  maxFailuresPerUrl: 3,
};
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 1_700_000_000_000;
const fresh = payloadStateFor(OFFER, null);
const fail = (state: PayloadState, kind: 'content' | 'transfer' | 'other' = 'transfer'): PayloadState =>
  afterFailure(state, OFFER, kind, NOW, 0.5);

describe('payloadStateFor', () => {
  it('remembers the same offer, and begins anew with any other', () => {
    const known = fail(fresh);
    assert.equal(payloadStateFor({...OFFER}, known), known);
    for (const change of [{bytes: 1}, {sha256: 'b'}, {urls: ['http://a.example/p']}, {disableBackoff: true}])
      assert.equal(payloadStateFor({...OFFER, ...change}, known).urlFailures, 0);
  });
});

describe('addresses', () => {
  it('give way after so many broken transfers, and at once after wrong bytes', () => {
    let state = fresh;
    for (const expected of ['a', 'a', 'b']) {
      state = fail(state);
      assert.match(currentUrl(state, OFFER), new RegExp(`//${expected}\\.`));
    }
    assert.equal(state.attempts, 0);
    assert.match(currentUrl(fail(fresh, 'content'), OFFER), /\/\/b\./);
    assert.equal(fail(fresh, 'other'), fresh);
  });

  it('are forgiven when bytes come', () => {
    assert.deepEqual(afterProgress(fail(fail(fresh))), fresh);
    assert.equal(afterProgress(fresh), fresh);
  });

  it('having all had their turn, the attempt is over', () => {
    const over = fail(fail(fresh, 'content'), 'content');
    assert.deepEqual([over.attempts, over.urlIndex, over.notBefore], [1, 0, NOW + DAY]);
  });
});

describe('leaving a payload alone', () => {
  it('takes 1, 2, 4, 8, 16 days, and never more', () => {
    let state = fresh;
    const days: number[] = [];
    for (let attempt = 0; attempt < 7; attempt += 1) {
      state = afterDownload(state, NOW, 0.5);
      days.push(((waitsUntil(state, OFFER, NOW) ?? NOW) - NOW) / DAY);
    }
    assert.deepEqual(days, [1, 2, 4, 8, 16, 16, 16]);
    const [earliest, latest] = [0, 1].map((random) => afterDownload(fresh, NOW, random).notBefore);
    assert.deepEqual([earliest, latest], [NOW + DAY - 6 * HOUR, NOW + DAY + 6 * HOUR]);
  });

  it('is over in time, and is not done when the server says so, nor with deltas', () => {
    const state = afterDownload(fresh, NOW, 0.5);
    assert.equal(waitsUntil(fresh, OFFER, NOW), null);
    assert.equal(waitsUntil(state, OFFER, NOW + DAY - 1), NOW + DAY);
    assert.equal(waitsUntil(state, OFFER, NOW + DAY), null);
    assert.equal(waitsUntil(state, {...OFFER, disableBackoff: true}, NOW), null);
    assert.equal(waitsUntil(state, {...OFFER, isDelta: true}, NOW), null);
  });

  it('does not outlast a clock that was put right', () => {
    const state = afterDownload(fresh, NOW + 365 * DAY, 0.5);
    assert.equal(waitsUntil(state, OFFER, NOW), null);
  });
});

describe('retryDelayMs', () => {
  it('doubles from a second to a minute, blurred by half', () => {
    const delays = [0, 1, 2, 3, 7, 500].map((urlFailures) => retryDelayMs({...fresh, urlFailures}, 0.5));
    assert.deepEqual(delays, [1000, 1000, 2000, 4000, 60_000, 60_000]);
    assert.deepEqual(
      [0, 1].map((random) => retryDelayMs(fresh, random)),
      [500, 1500],
    );
  });
});

describe('any history', () => {
  it('ends after a bounded number of failures without progress, and can be written down', () => {
    const urls = fc.integer({min: 1, max: 5});
    const kinds = fc.array(fc.constantFrom('content' as const, 'transfer' as const), {
      minLength: 60,
      maxLength: 60,
    });
    fc.assert(
      fc.property(urls, fc.integer({min: 1, max: 10}), kinds, (count, maxFailuresPerUrl, failures) => {
        const offer = {
          ...OFFER,
          maxFailuresPerUrl,
          urls: Array.from({length: count}, (_, at) => `http://${at}.example/`),
        };
        let state = payloadStateFor(offer, null);
        let tries = 0;
        for (const kind of failures) {
          state = afterFailure(state, offer, kind, NOW, 0.5);
          assert.deepEqual(payloadStateSchema.parse(JSON.parse(JSON.stringify(state))), state);
          assert.ok(currentUrl(state, offer) !== '');
          tries += 1;
          if (state.attempts > 0) break;
        }
        assert.ok(state.attempts === 1 && tries <= count * maxFailuresPerUrl);
      }),
    );
  });
});
