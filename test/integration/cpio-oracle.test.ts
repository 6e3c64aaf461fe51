/** GNU cpio (package cpio) lists and unpacks our archive. The device node needs root and is left out without it. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, readlink, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {decodeCpio} from '../../formats/cpio-reader.ts';
import {encodeCpio, type CpioEntry} from '../../formats/cpio.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const IS_ROOT = process.getuid?.() === 0;
const ENTRIES: CpioEntry[] = [
  {path: '.', kind: 'directory', mode: 0o755},
  {path: 'usr/bin/tool', kind: 'file', mode: 0o755, data: Buffer.from('tool')},
  {path: 'usr/share/odd name-ü', kind: 'file', mode: 0o640, data: Buffer.alloc(4097, 'z')},
  {path: 'bin', kind: 'symlink', mode: 0o777, target: 'usr/bin'},
  {path: 'empty', kind: 'file', mode: 0o600, data: new Uint8Array()},
  ...(IS_ROOT
    ? [
        {
          path: 'dev/null',
          kind: 'device',
          mode: 0o666,
          device: 'char',
          major: 1,
          minor: 3,
        } satisfies CpioEntry,
      ]
    : []),
];

describe('GNU cpio', {skip: await skipWithout(['cpio'], 'cpio')}, () => {
  it('lists every entry with its mode, owner, size and time', async () => {
    const archive = Buffer.concat([...encodeCpio(ENTRIES, {mtime: 86_400 * 365})]);
    const {stdout, stderr} = await exec(['cpio', '-itvn'], {
      stdin: archive,
      env: {LC_ALL: 'C', TZ: 'UTC'},
    });
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^drwxr-xr-x +2 0 +0 +0 Jan +1 +1971 \.$/);
    assert.match(lines[1] ?? '', /^lrwxrwxrwx +1 0 +0 +7 Jan +1 +1971 bin -> usr\/bin$/);
    assert.equal(lines.length, decodeCpio(archive).length);
    assert.ok(lines.some((line) => /^-rwxr-xr-x +1 0 +0 +4 Jan +1 +1971 usr\/bin\/tool$/.test(line)));
    if (IS_ROOT) assert.ok(lines.some((line) => /^crw-rw-rw- .* 1, +3 .*dev\/null$/.test(line)));
    assert.doesNotMatch(stderr, /premature|malformed|warning/);
  });

  it('unpacks to the same tree, which our reader finds again in what cpio packs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cpio-oracle-'));
    try {
      const tree = join(folder, 'tree');
      await mkdir(tree);
      const archive = Buffer.concat([...encodeCpio(ENTRIES)]);
      await exec(['cpio', '-idmu', '--quiet'], {stdin: archive, cwd: tree});
      assert.equal(await readFile(join(tree, 'usr/bin/tool'), 'utf8'), 'tool');
      assert.equal((await readFile(join(tree, 'usr/share/odd name-ü'))).length, 4097);
      assert.equal(await readlink(join(tree, 'bin')), 'usr/bin');

      const names = ENTRIES.map(({path}) => path).join('\n');
      await exec(['cpio', '-o', '-H', 'newc', '--quiet', '-O', '../repacked'], {stdin: names, cwd: tree});
      const found = decodeCpio(await readFile(join(folder, 'repacked')));
      assert.deepEqual(
        found.map(({path, kind, mode}) => ({path, kind, mode})),
        ENTRIES.map(({path, kind, mode}) => ({path, kind, mode})),
      );
    } finally {
      await rm(folder, {recursive: true});
    }
  });

  it('is not confused by an empty archive', async () => {
    const {stdout} = await exec(['cpio', '-it', '--quiet'], {stdin: Buffer.concat([...encodeCpio([])])});
    assert.equal(stdout, '');
  });
});
