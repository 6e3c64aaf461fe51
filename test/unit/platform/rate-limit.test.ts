import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createRateLimit} from '../../../platform/rate-limit.ts';
import {fc} from '../../support/property.ts';

/** A clock that moves only while somebody sleeps, or is pushed. */
function createClock(): {
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  push: (ms: number) => void;
} {
  let time = 1000;
  return {
    now: () => time,
    push: (ms) => void (time += ms),
    sleep: (ms) => {
      time += ms;
      return Promise.resolve();
    },
  };
}

const {signal} = new AbortController();

describe('createRateLimit', () => {
  it('lets a quarter of a second through at once, then waits', async () => {
    const clock = createClock();
    const limit = createRateLimit({bytesPerSecond: 1000, ...clock});
    await limit.take(250, signal);
    assert.equal(clock.now(), 1000);
    await limit.take(500, signal);
    assert.equal(clock.now(), 1500);
  });

  it('saves up no more than that', async () => {
    const clock = createClock();
    const limit = createRateLimit({bytesPerSecond: 1000, ...clock});
    clock.push(3_600_000);
    const startedAt = clock.now();
    await limit.take(1250, signal);
    assert.equal(clock.now() - startedAt, 1000);
  });

  it('keeps the rate, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({max: 100_000}), fc.nat({max: 500})), {minLength: 1}),
        async (steps) => {
          const clock = createClock();
          const limit = createRateLimit({bytesPerSecond: 10_000, ...clock});
          const startedAt = clock.now();
          let bytes = 0;
          for (const [chunk, pauseMs] of steps) {
            await limit.take(chunk, signal);
            bytes += chunk;
            const seconds = (clock.now() - startedAt) / 1000;
            assert.ok(bytes <= 2500 + 10_000 * seconds + 1e-6, `${bytes} bytes after ${seconds} s`);
            clock.push(pauseMs);
          }
        },
      ),
    );
  });

  it('does not begin to wait when it was stopped', async () => {
    const limit = createRateLimit({bytesPerSecond: 1000, ...createClock()});
    await assert.rejects(limit.take(1, AbortSignal.abort(new Error('stopped'))), /stopped/);
  });
});
