import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, beforeEach, describe, it} from 'node:test';
import type {OmahaEvent} from '../../../../formats/omaha/request.ts';
import {type Reporter, openReporter} from '../../../../update-engine/engine/reporter.ts';
import {type StateStore, openState} from '../../../../update-engine/state/store.ts';

const folder = await mkdtemp(join(tmpdir(), 'reporter-'));
after(() => rm(folder, {recursive: true}));

const event = (type: number): OmahaEvent => ({type, result: 1, errorCode: null, previousVersion: null});

describe('a reporter', () => {
  let state: StateStore;
  let sent: number[];
  let isDown: boolean;
  let later: (() => void)[];
  let count = 0;
  beforeEach(async () => {
    count += 1;
    state = await openState(join(folder, String(count)), (text) => assert.fail(text));
    [sent, isDown, later] = [[], false, []];
  });
  const open = (): Promise<Reporter> =>
    openReporter({
      state,
      send(sending) {
        if (isDown) return Promise.reject(new Error('down'));
        sent.push(sending.type);
        return Promise.resolve();
      },
      later(_ms, call) {
        later.push(call);
        return () => (later = later.filter((each) => each !== call));
      },
      warn: () => undefined,
    });

  it('sends in order', async () => {
    const reporter = await open();
    for (const type of [13, 14, 3]) await reporter.add(event(type));
    assert.equal(await reporter.drain(1000), true);
    assert.deepEqual(sent, [13, 14, 3]);
  });

  it('keeps what the server did not take, and tries it again', async () => {
    isDown = true;
    const reporter = await open();
    await reporter.add(event(13));
    await reporter.add(event(14));
    assert.equal(await reporter.drain(1000), false);
    isDown = false;
    later.at(-1)?.();
    reporter.nudge();
    assert.equal(await reporter.drain(1000), true);
    assert.deepEqual(sent, [13, 14]);
  });

  it('sends after a restart what was left', async () => {
    isDown = true;
    const first = await open();
    await first.add(event(3));
    await first.stop();
    isDown = false;
    const second = await open();
    assert.equal(await second.drain(1000), true);
    assert.deepEqual(sent, [3]);
    await second.stop();
    const third = await open();
    assert.equal(await third.drain(1000), true);
    assert.deepEqual(sent, [3], 'and not twice');
  });

  it('lets go of the oldest when there are too many', async () => {
    isDown = true;
    const reporter = await open();
    for (let type = 0; type < 40; type += 1) await reporter.add(event(type));
    isDown = false;
    reporter.nudge();
    await reporter.drain(1000);
    assert.equal(sent.at(-1), 39);
    assert.equal(sent.length, 32);
  });
});
