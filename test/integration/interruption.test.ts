/** Ctrl-C: the first one tidies up, even while programs run; the second does not wait for that. */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, it} from 'node:test';
import {start} from '../../platform/exec.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Longer than what counts as one press. */
const NEXT_PRESS_MS = 1200;

async function interrupt(
  mode: string,
  presses: number,
): Promise<{lines: string[]; exitCode: number | undefined}> {
  const child = start([join(ROOT, 'tools/ts'), join(ROOT, 'test/fixtures/interrupted-program.ts'), mode], {
    env: {NODE_NO_WARNINGS: '1'},
  });
  const lines: string[] = [];
  for await (const line of createInterface({input: child.stdout})) {
    lines.push(line);
    if (line === 'waiting') child.kill('SIGINT');
    if (line === 'tidying up' && presses > 1) {
      await sleep(NEXT_PRESS_MS);
      child.kill('SIGINT');
    }
  }
  return {lines, exitCode: (await child.ended).exitCode};
}

describe('an interrupted program', () => {
  it('tidies up', async () => {
    const {lines, exitCode} = await interrupt('quickly', 1);
    assert.deepEqual(lines, ['waiting', 'tidying up', 'stopped by SIGINT']);
    assert.equal(exitCode, 0);
  });

  it('ends at once when it is asked a second time', async () => {
    const {lines, exitCode} = await interrupt('slowly', 2);
    assert.deepEqual(lines, ['waiting', 'tidying up']);
    assert.equal(exitCode, 130);
  });
});
