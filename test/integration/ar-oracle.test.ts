/** dpkg-deb makes a package whose members and control data we read; GNU ar makes an archive with its own names. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {describe, it} from 'node:test';
import {listArMembers} from '../../formats/ar.ts';
import {parseDeb822} from '../../formats/deb822.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const CONTROL = `Package: sample
Version: 1:2.0-3
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: a sample
 with a second line
`;

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-oracle-'));
  try {
    await action(folder);
  } finally {
    await rm(folder, {recursive: true});
  }
}

describe('dpkg-deb', {skip: await skipWithout(['dpkg-deb', 'tar'], 'dpkg')}, () => {
  it('packs members that we find, with control data that we read', () =>
    inFolder(async (folder) => {
      await mkdir(join(folder, 'tree/DEBIAN'), {recursive: true, mode: 0o755});
      await writeFile(join(folder, 'tree/DEBIAN/control'), CONTROL);
      const deb = join(folder, 'sample.deb');
      await exec(['dpkg-deb', '--root-owner-group', '-Zgzip', '--build', join(folder, 'tree'), deb]);
      const bytes = await readFile(deb);
      const members = listArMembers(bytes);
      assert.deepEqual(
        members.map(({name}) => name),
        ['debian-binary', 'control.tar.gz', 'data.tar.gz'],
      );
      const [version, control] = members.map(({offset, size}) => bytes.subarray(offset, offset + size));
      assert.equal(version?.toString(), '2.0\n');
      const tar = gunzipSync(control ?? Buffer.alloc(0));
      const {stdout} = await exec(['tar', '-xO', './control'], {stdin: tar});
      assert.equal(parseDeb822(stdout)[0]?.get('Version'), '1:2.0-3');
      const {stdout: field} = await exec(['dpkg-deb', '--field', deb, 'Description']);
      assert.equal(
        parseDeb822(`Description: ${field}`)[0]?.get('Description'),
        'a sample\nwith a second line',
      );
    }));
});

describe('ar', {skip: await skipWithout(['ar'], 'binutils')}, () => {
  it('packs members whose bytes we find', () =>
    inFolder(async (folder) => {
      const contents = {one: 'odd', 'two.tar': 'even', empty: ''};
      for (const [name, text] of Object.entries(contents)) await writeFile(join(folder, name), text);
      await exec(['ar', 'qcS', 'all.a', ...Object.keys(contents)] as ['ar', ...string[]], {cwd: folder});
      const bytes = await readFile(join(folder, 'all.a'));
      const found = listArMembers(bytes).map(({name, offset, size}) => [
        name,
        bytes.subarray(offset, offset + size).toString(),
      ]);
      assert.deepEqual(Object.fromEntries(found), contents);
    }));
});

describe('dpkg status', {skip: await skipWithout(['dpkg-query'], 'dpkg')}, () => {
  it('holds the packages that dpkg-query lists', async () => {
    const status = parseDeb822(await readFile('/var/lib/dpkg/status', 'utf8'));
    const {stdout} = await exec(['dpkg-query', '-W', '-f', '${Package} ${Version} ${Architecture}\n']);
    const ours = status
      .filter((paragraph) => !paragraph.get('Status')?.endsWith(' not-installed'))
      .map((one) => `${one.get('Package')} ${one.get('Version')} ${one.get('Architecture')}`);
    assert.deepEqual(ours.sort(), stdout.trimEnd().split('\n').sort());
  });
});
