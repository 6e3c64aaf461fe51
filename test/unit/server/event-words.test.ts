import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ERROR_CODES} from '../../../formats/omaha/codes.ts';
import {describeEvent, eventLine, explainError} from '../../../server/event-words.ts';

const eventOf = (
  type: number,
  result: number,
  errorCode: number | null = null,
  previousVersion: string | null = null,
): Parameters<typeof describeEvent>[0] => ({type, result, errorCode, previousVersion});

describe('an event on one line', () => {
  const cases: [ReturnType<typeof eventOf>, string, string][] = [
    [eventOf(13, 1), 'download started', 'plain'],
    [eventOf(14, 1, 0), 'download finished', 'plain'],
    [eventOf(3, 1), 'installed, waits for a reboot', 'plain'],
    [eventOf(3, 2, null, '1.0.0'), 'is good, updated from 1.0.0', 'good'],
    [eventOf(3, 2, null, '0.0.0.0'), 'is good', 'good'],
    [eventOf(3, 2, null, ''), 'is good', 'good'],
    [eventOf(3, 4), 'update cancelled', 'plain'],
    [eventOf(3, 9, 40), 'update put off: DEFERRED_FOR_BACKOFF', 'plain'],
    [eventOf(3, 0, 44), 'came back to the version before', 'bad'],
    [eventOf(3, 0, 2503), 'update failed: HTTP_503', 'bad'],
    [eventOf(3, 0), 'update failed: no reason given', 'bad'],
    [eventOf(99, 7), 'event 99/7', 'plain'],
  ];
  for (const [event, line, tone] of cases)
    it(`says ${line}`, () => {
      assert.equal(eventLine(event), line);
      assert.equal(describeEvent(event).tone, tone);
    });
});

describe('an error', () => {
  it('is spelled out', () => {
    const {error} = describeEvent(eventOf(3, 0, 44));
    assert.equal(error?.name, 'ROLLBACK');
    assert.match(error.meaning, /health checks/);
    assert.match(explainError(2503), /HTTP status 503/);
    assert.match(explainError(2000), /did not answer/);
    assert.match(explainError(123_456), /No client/);
    for (const code of Object.values(ERROR_CODES)) assert.match(explainError(code), /^[A-Z].*\.$/);
  });

  it('is known by its number, whatever flags come with it', () => {
    assert.equal(describeEvent(eventOf(3, 0, 0x8000_0000 + 44)).error?.code, 44);
    assert.equal(describeEvent(eventOf(3, 0)).error, null);
  });
});
