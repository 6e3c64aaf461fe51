/** sha256sum (package coreutils) checks what we write and writes what we read, odd names included. */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {decodeSha256Sums, encodeSha256Sums} from '../../formats/sha256sums.ts';
import {exec, type Argv} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const NAMES = ['disk.raw', ' leading', 'back\\slash', 'new\nline', 'return\rx', 'ü*', '*star'];

describe('sha256sum', {skip: await skipWithout(['sha256sum'], 'coreutils')}, () => {
  it('accepts our lines and gives the same', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sums-oracle-'));
    try {
      const sums = NAMES.map((name) => ({name, sha256: createHash('sha256').update(name).digest('hex')}));
      for (const {name} of sums) await writeFile(join(folder, name), name);
      await exec(['sha256sum', '--check', '--strict', '--quiet'], {
        stdin: encodeSha256Sums(sums),
        cwd: folder,
      });
      const argv: Argv = ['sha256sum', '--', ...NAMES];
      const {stdout} = await exec(argv, {cwd: folder});
      assert.deepEqual(decodeSha256Sums(stdout), sums);
    } finally {
      await rm(folder, {recursive: true});
    }
  });
});
