/** The locks that VM tests share saved guests by (flock of util-linux). */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {start} from '../../platform/exec.ts';
import {tryFileLock, withFileLock} from '../vm/support/file-lock.ts';

describe('a file lock', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lock-'));
    path = join(folder, 'lock');
  });
  after(() => rm(folder, {recursive: true}));

  it('lets one exclusive owner in at a time', async () => {
    let [inside, most] = [0, 0];
    const use = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(50);
      inside -= 1;
    };
    await Promise.all([1, 2, 3].map(() => withFileLock(path, {mode: 'exclusive'}, use)));
    assert.equal(most, 1);
  });

  it('lets shared owners in together, and nobody else meanwhile', async () => {
    await withFileLock(path, {mode: 'shared'}, async () => {
      await withFileLock(path, {mode: 'shared'}, async () => {
        await tryFileLock(path, () => Promise.reject(new Error('let in beside a shared owner')));
        const signal = AbortSignal.timeout(100);
        await assert.rejects(
          withFileLock(path, {mode: 'exclusive', signal}, () => Promise.resolve()),
          {
            name: 'TimeoutError',
          },
        );
      });
    });
    let wasLetIn = false;
    await tryFileLock(path, () => Promise.resolve(void (wasLetIn = true)));
    assert.equal(wasLetIn, true);
  });

  it('is free again when what it was held for fails, and when its owner is killed', async () => {
    const failure = new Error('boo');
    await assert.rejects(
      withFileLock(path, {mode: 'exclusive'}, () => Promise.reject(failure)),
      failure,
    );
    const owner = start(['flock', '--no-fork', '--exclusive', path, 'cat']);
    await sleep(100);
    owner.kill('SIGKILL');
    await owner.ended;
    const signal = AbortSignal.timeout(120_000);
    assert.equal(
      await withFileLock(path, {mode: 'exclusive', signal}, () => Promise.resolve('held')),
      'held',
    );
  });
});
