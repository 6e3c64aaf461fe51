import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import type {Toolbox} from '../../../../build/toolbox.ts';
import {UsersError, makeAccounts, readUserLines} from '../../../../build/tree/users.ts';

const BASIC = 'u root 0 - /root\ng adm 4\n';
let folder = '';
let tree = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'users-'));
  tree = join(folder, 'tree');
  await mkdir(join(tree, 'etc'), {recursive: true});
  await write('tree/usr/lib/sysusers.d/basic.conf', BASIC);
});
afterEach(() => rm(folder, {recursive: true}));

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(folder, path, '..'), {recursive: true});
  await writeFile(join(folder, path), text);
}

type Accounts = Record<'passwd' | 'group', string>;

/** Stands for the tools tree: `rm` removes, and systemd-sysusers makes the accounts that it is told here. */
function toolbox(made: Accounts, commands: string[] = []): Toolbox {
  return {
    argv: (argv) => Promise.resolve(argv),
    async run([program, ...args]) {
      commands.push(program);
      if (program === 'rm') for (const file of args.slice(1)) await rm(file, {force: true});
      if (program === 'systemd-sysusers') {
        for (const [name, text] of Object.entries(made)) await writeFile(join(tree, 'etc', name), text);
      }
      return {stdout: '', stderr: '', exitCode: 0};
    },
  };
}

async function check(before: Accounts, made: Accounts, lines: string): Promise<void> {
  for (const [name, text] of Object.entries(before)) await write(`tree/etc/${name}`, text);
  await write('overlay/usr/lib/sysusers.d/caisson.conf', lines);
  await makeAccounts(tree, [{label: 'overlay', directory: join(folder, 'overlay')}], toolbox(made), 1);
}

const ROOT = {passwd: 'root:x:0:0:root:/root:/bin/bash\n', group: 'root:x:0:\nadm:x:4:\n'};
const SSHD = {passwd: `${ROOT.passwd}sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n`, group: ROOT.group};

describe('readUserLines', () => {
  it('reads all overlays by file name, the later overlay in place of a file of the same name', async () => {
    await write('one/usr/lib/sysusers.d/20-b.conf', 'u b 201');
    await write('one/usr/lib/sysusers.d/30-c.conf', 'u c 202');
    await write('two/usr/lib/sysusers.d/10-a.conf', 'u a 200');
    await write('two/usr/lib/sysusers.d/30-c.conf', 'u c 302');
    await mkdir(join(folder, 'three'));
    const overlays = ['one', 'two', 'three'].map((label) => ({label, directory: join(folder, label)}));
    assert.equal(await readUserLines(overlays), 'u a 200\nu b 201\nu c 302');
  });

  it('names the file and the line that is none', async () => {
    await write('one/usr/lib/sysusers.d/README', 'not read');
    await write('one/usr/lib/sysusers.d/10-a.conf', '# Accounts.\nuser a 200\n');
    const path = join(folder, 'one/usr/lib/sysusers.d/10-a.conf');
    await assert.rejects(readUserLines([{label: 'one', directory: join(folder, 'one')}]), (error) => {
      assert.ok(error instanceof UsersError, String(error));
      assert.equal(error.code, 'bad-list');
      assert.equal(error.message, `${path}: line 2: type cannot be "user": user a 200`);
      return true;
    });
  });
});

describe('makeAccounts', () => {
  it('takes lines out of the lists of packages that an overlay repeats with a number', async () => {
    const packages = '# of the package\nu sshd -:nogroup "sshd user" /run/sshd\ng kvm -\ng input -\n';
    await write('tree/usr/lib/sysusers.d/openssh-server.conf', packages);
    await write('tree/usr/lib/sysusers.d/odd.conf', 'u %b 5\ng kvm -\n');
    await check(ROOT, ROOT, 'u! sshd 972:65534 - /run/sshd\ng kvm 984\n');
    const read = (name: string): Promise<string> => readFile(join(tree, 'usr/lib/sysusers.d', name), 'utf8');
    assert.equal(await read('openssh-server.conf'), '# of the package\ng input -\n');
    assert.equal(await read('odd.conf'), 'u %b 5\ng kvm -\n');
    assert.equal(await read('basic.conf'), BASIC);
  });

  it('refuses two names with one number, which systemd would settle by making one up', async () => {
    await assert.rejects(check(ROOT, ROOT, 'u! a 101\nu! b 101\n'), /a and b both have number 101/);
  });

  it('makes the files anew from declared lines', async () => {
    await write('tree/etc/passwd-', 'a backup');
    await write('tree/etc/shadow', 'root:secret');
    await check(SSHD, SSHD, 'u! sshd 101:65534 - /run/sshd\n');
    assert.equal(await readFile(join(tree, 'etc/passwd'), 'utf8'), SSHD.passwd);
    for (const gone of ['passwd-', 'shadow'])
      await assert.rejects(readFile(join(tree, 'etc', gone)), {code: 'ENOENT'});
  });

  it('refuses a number that a package made up, before or after', async () => {
    const refuses = (before: Accounts, made: Accounts, lines: string, message: RegExp): Promise<void> =>
      assert.rejects(check(before, made, lines), (error) => {
        assert.ok(error instanceof UsersError, String(error));
        assert.match(`${error.message}; ${error.hint}`, message);
        return true;
      });
    await refuses(SSHD, ROOT, '', /^user sshd got the number 101, .*: u! sshd 101 - -$/);
    await refuses(ROOT, SSHD, '', /^user sshd got the number 101/);
    await refuses(SSHD, SSHD, 'u! sshd 102\n', /^user sshd got the number 101/);
    const docker = {...ROOT, group: `${ROOT.group}docker:x:999:\n`};
    await refuses(docker, ROOT, 'u docker 999:4\n', /^group docker got the number 999, .*: g docker 999$/);
    await check(docker, ROOT, 'g docker 999\n');
    await check(docker, ROOT, 'u docker 999\n');
  });

  it('leaves the numbers of Debian and of people alone', async () => {
    const passwd = `${ROOT.passwd}www-data:x:33:33::/:/\ncore:x:1000:1000::/home/core:/bin/bash\n`;
    await check({...ROOT, passwd}, ROOT, '');
  });
});
