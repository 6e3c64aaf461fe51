import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {LatestAnswer} from '../../../../cli/cluster/latest.ts';

const LONG_MS = 60_000;

describe('LatestAnswer', () => {
  it('asks each time, and one question at a time', async () => {
    let asked = 0;
    const latest = new LatestAnswer(() => Promise.resolve((asked += 1)), LONG_MS);
    assert.deepEqual(await Promise.all([latest.get(), latest.get()]), [
      {value: 1, failure: null},
      {value: 1, failure: null},
    ]);
    assert.deepEqual(await latest.get(), {value: 2, failure: null});
  });

  it('keeps what it knew when a question fails', async () => {
    const answers = [() => Promise.resolve('here'), () => Promise.reject(new Error('away'))];
    const latest = new LatestAnswer(() => answers.shift()?.() ?? Promise.resolve('back'), LONG_MS);
    assert.deepEqual(await latest.get(), {value: 'here', failure: null});
    assert.deepEqual(await latest.get(), {value: 'here', failure: 'away'});
    assert.deepEqual(await latest.get(), {value: 'back', failure: null});
  });

  it('does not wait for one who is late, and takes the answer when it comes', async () => {
    let reply: (text: string) => void = () => undefined;
    const latest = new LatestAnswer(() => new Promise<string>((resolve) => (reply = resolve)), 0);
    assert.deepEqual(await latest.get(), {value: null, failure: 'does not answer at once'});
    reply('at last');
    const patient = await latest.get();
    assert.equal(patient.value, 'at last');
  });
});
