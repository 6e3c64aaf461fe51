import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createLog, silentLog} from '../../../platform/log.ts';

/** A log whose clock is set by hand. */
function logTo(options: {isTerminal?: boolean; verbose?: boolean; columns?: number} = {}) {
  const state = {text: '', now: 0};
  const log = createLog({
    isTerminal: options.isTerminal ?? false,
    verbose: options.verbose ?? false,
    write: (piece) => (state.text += piece),
    now: () => state.now,
    columns: () => options.columns ?? 80,
  });
  return {log, state};
}

describe('createLog without a terminal', () => {
  it('writes a line when a step begins and when it ends, with time, bytes and rate', async () => {
    const {log, state} = logTo();
    const result = await log.step('Fetching', (progress) => {
      state.now = 2000;
      progress.update(3_000_000, 4_000_000);
      return Promise.resolve(42);
    });
    assert.equal(result, 42);
    assert.equal(state.text, 'Fetching ...\nFetching: 2.0 s, 3.00 MB, 1.50 MB/s\n');
  });

  it('writes progress every ten seconds at most', async () => {
    const {log, state} = logTo();
    await log.step('Fetching', (progress) => {
      for (let second = 1; second <= 25; second += 1) {
        state.now = 1000 * second;
        progress.update(1e6 * second, 50e6);
        progress.note('a file');
      }
      return Promise.resolve();
    });
    assert.deepEqual(state.text.split('\n'), [
      'Fetching ...',
      '  Fetching: 10 s, 10.0 MB of 50.0 MB (20 %), 1.00 MB/s, a file',
      '  Fetching: 20 s, 20.0 MB of 50.0 MB (40 %), 1.00 MB/s, a file',
      'Fetching: 25 s, 25.0 MB, 1.00 MB/s',
      '',
    ]);
  });

  it('says that a step failed, and lets the error through', async () => {
    const {log, state} = logTo();
    await assert.rejects(
      log.step('Building', () => {
        state.now = 500;
        return Promise.reject(new Error('broken'));
      }),
      /broken/,
    );
    assert.equal(state.text, 'Building ...\nBuilding: FAILED after 0.5 s\n');
  });

  it('keeps details for those who ask', () => {
    const [quiet, verbose] = [logTo(), logTo({verbose: true})];
    for (const {log} of [quiet, verbose]) {
      log.info('one');
      log.warn('two');
      log.detail('three');
    }
    assert.equal(quiet.state.text, 'one\nwarning: two\n');
    assert.equal(verbose.state.text, 'one\nwarning: two\nthree\n');
  });
});

describe('createLog on a terminal', () => {
  const clear = '\r\u001B[2K';

  it('redraws one line and leaves only the result', async () => {
    const {log, state} = logTo({isTerminal: true});
    await log.step('Fetching', (progress) => {
      state.now = 1000;
      progress.note('a file');
      log.info('meanwhile');
      return Promise.resolve();
    });
    assert.equal(
      state.text,
      [
        `${clear}Fetching`,
        `${clear}Fetching: 1.0 s, a file`,
        `${clear}meanwhile\n`,
        `${clear}Fetching: 1.0 s, a file`,
        `${clear}Fetching: 1.0 s\n`,
      ].join(''),
    );
  });

  it('never writes beyond the width, and no control characters of others', async () => {
    const {log, state} = logTo({isTerminal: true, columns: 30});
    await log.step('Fetching', (progress) => {
      state.now = 1000;
      progress.note(`\u001B[31mred\n${'x'.repeat(100)}`);
      return Promise.resolve();
    });
    const drawn = state.text.split(clear)[2] ?? '';
    assert.equal(drawn, 'Fetching: 1.0 s,  [31mred xxx');
  });

  it('shows steps that run beside each other', async () => {
    const {log, state} = logTo({isTerminal: true});
    let end = (): void => undefined;
    const first = log.step('One', () => new Promise<void>((resolve) => (end = resolve)));
    await log.step('Two', () => Promise.resolve());
    end();
    await first;
    assert.ok(state.text.includes(`${clear}One | Two`));
    assert.ok(state.text.endsWith(`${clear}One: 0.0 s\n`));
  });
});

describe('silentLog', () => {
  it('runs steps all the same', async () => {
    assert.equal(await silentLog.step('x', () => Promise.resolve(7)), 7);
  });
});
