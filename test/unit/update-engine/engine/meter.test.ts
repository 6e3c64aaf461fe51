import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createMeter} from '../../../../update-engine/engine/meter.ts';

describe('createMeter', () => {
  it('knows nothing of one sample', () => {
    const meter = createMeter();
    assert.equal(meter.bytesPerSecond(0), null);
    meter.add(100, 0);
    assert.equal(meter.bytesPerSecond(1000), null);
  });

  it('gives the rate of the last seconds, and lets a pause show', () => {
    const meter = createMeter();
    for (let second = 0; second <= 20; second += 1) meter.add(1000 * second, 1000 * second);
    assert.equal(meter.bytesPerSecond(20_000), 1000);
    assert.equal(meter.bytesPerSecond(30_000), 500);
  });
});
