/** systemd makes accounts and files from the same lines; the files that ship with this machine are read without complaint. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {fixedNumbers, parseSysusers} from '../../formats/sysusers.ts';
import {parseTmpfiles} from '../../formats/tmpfiles.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const SYSUSERS = `u root 0 - /root /bin/sh
u etcd 900 "Key \\x26 value 'store'" /var/lib/etcd
u helper 901:902
g helpers 902
u twin 903
g twin 904
`;

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lists-oracle-'));
  try {
    await action(folder);
  } finally {
    await rm(folder, {recursive: true});
  }
}

describe('systemd-sysusers', {skip: await skipWithout(['systemd-sysusers'], 'systemd')}, () => {
  it('gives the numbers that we say are fixed', () =>
    inFolder(async (root) => {
      await mkdir(join(root, 'usr/lib/sysusers.d'), {recursive: true});
      await mkdir(join(root, 'etc'));
      await writeFile(join(root, 'usr/lib/sysusers.d/x.conf'), SYSUSERS);
      await exec(['systemd-sysusers', `--root=${root}`]);
      const numbers = async (file: string): Promise<Map<number, string>> => {
        const lines = (await readFile(join(root, 'etc', file), 'utf8')).trimEnd().split('\n');
        return new Map(lines.map((line) => [Number(line.split(':')[2]), line.split(':')[0] ?? '']));
      };
      const records = parseSysusers(SYSUSERS);
      assert.deepEqual(fixedNumbers(records).users, await numbers('passwd'));
      assert.deepEqual(
        new Map([...fixedNumbers(records).groups].sort()),
        new Map([...(await numbers('group'))].sort()),
      );
      const described = records.flatMap((one) =>
        one.type === 'user' && one.name === 'etcd' ? [one.description] : [],
      );
      assert.match(
        await readFile(join(root, 'etc/passwd'), 'utf8'),
        new RegExp(`:${described[0]}:/var/lib/etcd:`),
      );
    }));
});

describe('systemd-tmpfiles', {skip: await skipWithout(['systemd-tmpfiles'], 'systemd')}, () => {
  it('makes what we read', () =>
    inFolder(async (root) => {
      // Quotes only: systemd 252, which the build host may run, drops backslashes where 257 decodes them.
      const text = 'd "/var/lib/a b" 0750 - -\nf /var/x 0640 - - - text\n';
      await mkdir(join(root, 'usr/lib/tmpfiles.d'), {recursive: true});
      await writeFile(join(root, 'usr/lib/tmpfiles.d/x.conf'), text);
      await exec(['systemd-tmpfiles', `--root=${root}`, '--create']);
      for (const {path, mode, type, argument} of parseTmpfiles(text)) {
        const found = await stat(join(root, path));
        assert.equal(found.mode & 0o7777, mode?.bits);
        assert.equal(found.isDirectory(), type === 'd');
        if (type === 'f') assert.equal(await readFile(join(root, path), 'utf8'), argument);
      }
    }));
});

describe('the lists of this machine', () => {
  for (const [folder, parse] of [
    ['/usr/lib/sysusers.d', parseSysusers],
    ['/usr/lib/tmpfiles.d', parseTmpfiles],
  ] as const) {
    it(`are read: ${folder}`, async () => {
      const names = await readdir(folder).catch(() => []);
      for (const name of names.filter((one) => one.endsWith('.conf'))) {
        const text = await readFile(join(folder, name), 'utf8');
        const lines = text.split('\n').filter((line) => /^\s*[^#\s]/.test(line));
        assert.equal(parse(text).length, lines.length, name);
      }
    });
  }
});
