/** caisson-cloudinit on a host in a folder: what it does, what it leaves alone, and what it takes back. Needs useradd. */
import assert from 'node:assert/strict';
import {readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {CLASSIC, FULL, TEST_KEY} from '../fixtures/cloud-configs.ts';
import {type TestCloudHost, startCloudHost} from '../support/cloud-host.ts';

const USER_DATA = '/var/lib/caisson/cloud-config/user-data';
const DROP_IN = '/etc/systemd/system/etcd.service.d/20-cloudinit.conf';
const KEYS = '/etc/ssh/cloud-config-keys/core';

let host: TestCloudHost;
beforeEach(async () => void (host = await startCloudHost()));
afterEach(() => host.close());

const config = (...lines: string[]): Promise<void> =>
  host.write(USER_DATA, ['#cloud-config', ...lines, ''].join('\n'));

describe('the cloud-config of 2014', () => {
  it('imports the key, joins the cluster, starts etcd, and names the unit that is not there', async () => {
    host.answers.set('/users/philips/keys', JSON.stringify([{id: 1, key: TEST_KEY}]));
    await host.write('/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw', CLASSIC);
    const first = await host.run('apply');
    assert.equal(first.code, 1);
    assert.equal(first.errors.length, 1);
    assert.match(
      first.errors[0] ?? '',
      /there is no unit fleet\.service on this system, so it cannot be started\nhint: fleet/,
    );
    assert.ok((await host.read(KEYS)).includes(`# github: philips\n${TEST_KEY}\n`));
    const dropIn = await host.read(DROP_IN);
    assert.match(dropIn, /"ETCD_DISCOVERY=https:\/\/discovery\.etcd\.io\/ba09c"/);
    assert.match(dropIn, /"ETCD_INITIAL_ADVERTISE_PEER_URLS=http:\/\/10\.0\.0\.5:2380"/);
    assert.deepEqual(first.commands, ['systemctl daemon-reload', 'systemctl start etcd.service']);

    const again = await host.run('apply');
    assert.deepEqual([again.commands, again.errors.length], [[], 1]);

    await host.write('/etc/systemd/system/fleet.service', '[Service]\n');
    const later = await host.run('apply');
    assert.deepEqual([later.code, later.commands], [0, ['systemctl start fleet.service']]);
  });

  it('keeps the keys of last time when the server does not answer', async () => {
    host.answers.set('/users/philips/keys', JSON.stringify([{key: TEST_KEY}]));
    await host.write(USER_DATA, CLASSIC);
    await host.run('apply');
    host.answers.set('/users/philips/keys', 503);
    const run = await host.run('apply');
    assert.match(run.errors.join('\n'), /keys for core: .*answered 503[^]*the 1 keys of last time stay/);
    assert.ok((await host.read(KEYS)).includes(TEST_KEY));
    host.answers.set('/users/philips/keys', '[]');
    await host.run('apply');
    assert.equal((await host.run('apply')).code, 1);
  });

  it('lets nobody in for an answer that is no list of keys', async () => {
    await host.write(USER_DATA, CLASSIC);
    for (const answer of [
      '<html>sign in</html>',
      '[{"key": "ssh-rsa nonsense"}]',
      '{"message": "rate limit"}',
    ]) {
      host.answers.set('/users/philips/keys', answer);
      const run = await host.run('apply');
      assert.match(run.errors.join('\n'), /keys for core: /);
      assert.equal(await host.exists(KEYS), false);
    }
  });
});

describe('apply', () => {
  it('does every kind of thing once, and nothing the second time', async () => {
    for (const name of ['elroy', 'philips', 'a-b'])
      host.answers.set(`/users/${name}/keys`, JSON.stringify([{key: TEST_KEY}]));
    host.answers.set('/elroy', `${TEST_KEY}\n`);
    await host.write(
      USER_DATA,
      FULL.replace('https://keys.example.com/elroy', `${host.url}/elroy`)
        .replace('homedir: /home/elroy', '')
        .replace('no-create-home: no', 'no-create-home: yes')
        .replace('owner: core:docker', ''),
    );
    const run = await host.run('apply');
    assert.deepEqual(run.errors, []);
    assert.equal(run.code, 0);
    assert.equal(await host.read('/proc/sys/kernel/hostname'), 'node1.example.com');
    assert.match(await host.read('/etc/passwd'), /^elroy:x:\d+:970:Elroy J\.:[^:]*:\/bin\/bash$/m);
    assert.match(await host.read('/etc/group'), /^docker:x:970:core,elroy$/m);
    assert.match(await host.read('/etc/shadow'), /^elroy:\$6\$5s2u6/m);
    assert.ok(!run.commands.some((command) => command.includes('$6$')), 'no hash in arguments');
    assert.equal((await stat(join(host.root, '/opt/bin/hello'))).mode & 0o7777, 0o755);
    assert.match(await host.read('/etc/caisson/update.conf'), /^REBOOT_STRATEGY=etcd-lock$/m);
    assert.match(await host.read('/run/systemd/network/50-static.network'), /^Name=eth0$/m);
    assert.deepEqual(
      run.commands.filter((command) => !/^(useradd|chpasswd)/.test(command)),
      [
        'systemctl daemon-reload',
        'networkctl reload',
        'systemctl enable docker-tcp.socket',
        'systemctl mask rpcbind.service',
        'systemctl start docker-tcp.socket',
      ],
    );
    const before = await readdir(join(host.root, 'etc'), {recursive: true});
    const again = await host.run('apply');
    assert.deepEqual([again.code, again.out, again.commands], [0, '', []]);
    assert.ok(again.infos.includes('everything is as the config has it'));
    assert.deepEqual(await readdir(join(host.root, 'etc'), {recursive: true}), before);
    assert.match((await host.run('status')).out, /^enabled docker-tcp\.socket$/m);
  });

  it('shows with --dry-run what it would do, and does nothing', async () => {
    await config(
      'hostname: other',
      'users: [{name: mia, groups: docker}]',
      'write_files:',
      '  - {path: /etc/motd, content: "new\\nlines\\n"}',
      '  - {path: /etc/secret, content: s3cret, permissions: "0600", owner: mia}',
      'coreos: {units: [{name: a.service, content: "[Service]", enable: true, command: start}]}',
    );
    await host.write('/etc/motd', 'old\nlines\n');
    const run = await host.run('apply', '--dry-run');
    assert.equal(run.code, 0);
    assert.equal(
      run.out,
      [
        '~ hostname host1 -> other',
        '+ user mia',
        '~ file /etc/motd',
        '    -old',
        '    +new',
        '+ file /etc/secret (0600)',
        '    (not shown: not everyone may read this file)',
        '+ file /etc/systemd/system/a.service (0644)',
        '    +[Service]',
        '* enable a.service',
        '* start a.service',
        '',
      ].join('\n'),
    );
    assert.deepEqual(run.commands, []);
    assert.equal(await host.read('/etc/motd'), 'old\nlines\n');
    assert.equal(await host.exists('/var/lib/caisson/cloud-config/record.json'), false);
    const json = JSON.parse((await host.run('apply', '--dry-run', '--json')).out) as {
      changes: {kind: string}[];
    };
    assert.deepEqual(
      json.changes.map(({kind}) => kind),
      ['set-hostname', 'create-user', 'write-file', 'write-file', 'write-file', 'unit', 'unit'],
    );
  });

  it('takes back what it did and a changed config does not have, and nothing else', async () => {
    await host.write('/etc/motd', 'of the operator\n');
    await host.write('/etc/caisson/update.conf', '# mine\nGROUP=alpha\nSERVER=http://a.example/\n');
    await config(
      'write_files:',
      '  - {path: /etc/motd, content: ours}',
      '  - {path: /etc/new, content: ours}',
      '  - {path: /etc/edited, content: ours}',
      'coreos:',
      '  update: {group: beta, reboot-strategy: off}',
      '  units:',
      '    - {name: a.service, content: "[Service]", enable: true, command: start}',
      '    - {name: docker.service, mask: true}',
    );
    assert.equal((await host.run('apply')).code, 0);
    assert.match(
      await host.read('/etc/caisson/update.conf'),
      /^# mine\nGROUP=beta\nSERVER=http:\/\/a\.example\/\nREBOOT_STRATEGY=off\n$/,
    );
    await host.write('/etc/edited', 'by hand');
    await config('hostname: host1');
    const run = await host.run('apply');
    assert.equal(run.code, 0);
    assert.equal(await host.read('/etc/motd'), 'of the operator\n');
    assert.equal(await host.exists('/etc/new'), false);
    assert.equal(await host.read('/etc/edited'), 'by hand');
    assert.ok(run.infos.some((text) => /\/etc\/edited .* was changed since, and stays/.test(text)));
    assert.equal(
      await host.read('/etc/caisson/update.conf'),
      '# mine\nGROUP=alpha\nSERVER=http://a.example/\n',
    );
    assert.equal(await host.exists('/etc/systemd/system/a.service'), false);
    assert.deepEqual(run.commands, [
      'systemctl stop a.service',
      'systemctl disable a.service',
      'systemctl unmask docker.service',
      'systemctl daemon-reload',
    ]);
    assert.deepEqual((await host.run('apply')).commands, []);
  });

  it('takes nothing of the config of the boot back for a file that is applied by hand', async () => {
    await config('write_files: [{path: /etc/a, content: a}]', 'coreos: {update: {group: beta}}');
    await host.run('apply');
    const path = join(host.root, 'extra.yml');
    await host.write(
      '/extra.yml',
      '#cloud-config\nwrite_files: [{path: /etc/b, content: b}]\ncoreos: {update: {server: disabled}}\n',
    );
    assert.equal((await host.run('apply', path)).code, 0);
    assert.equal(await host.read('/etc/a'), 'a');
    await host.run('apply');
    assert.equal(await host.read('/etc/b'), 'b');
    assert.equal(await host.read('/etc/caisson/update.conf'), 'GROUP=beta\nSERVER=disabled\n');
    await host.write('/extra.yml', '#cloud-config\n');
    await host.run('apply', path);
    assert.deepEqual([await host.exists('/etc/b'), await host.read('/etc/a')], [false, 'a']);
    assert.equal(await host.read('/etc/caisson/update.conf'), 'GROUP=beta\n');
  });

  it('takes nothing back for a config with a mistake in it', async () => {
    await config('write_files: [{path: /etc/a, content: a}]', 'coreos: {update: {group: beta}}');
    await host.run('apply');
    await config('write_files: [{path: /etc/a, content: a, permissions: rwx}]');
    const run = await host.run('apply');
    assert.equal(run.code, 1);
    assert.match(run.errors.join(), /user-data:2:\d+: error: write_files\[0\]: permissions "rwx"/);
    assert.equal(await host.read('/etc/a'), 'a');
    assert.match(await host.read('/etc/caisson/update.conf'), /GROUP=beta/);
    await config('hostname: host1');
    await host.run('apply');
    assert.equal(await host.exists('/etc/a'), false, 'and still knows that it wrote it');
  });

  it('restarts what it started when its files change, and repeats commands once a boot', async () => {
    const units = (text: string): Promise<void> =>
      config(
        'coreos:',
        '  units:',
        `    - {name: a.service, content: "${text}", command: start}`,
        '    - {name: docker.service, command: restart}',
      );
    await units('[Service]');
    assert.deepEqual((await host.run('apply')).commands, [
      'systemctl daemon-reload',
      'systemctl start a.service',
      'systemctl restart docker.service',
    ]);
    assert.deepEqual((await host.run('apply')).commands, []);
    await units('[Service] ');
    assert.deepEqual((await host.run('apply')).commands, [
      'systemctl daemon-reload',
      'systemctl restart a.service',
    ]);
    host.bootId = 'boot-2';
    assert.deepEqual((await host.run('apply')).commands, ['systemctl restart docker.service']);
  });

  it('does the rest when one thing cannot be done', async () => {
    await config(
      'users: [{name: mia, groups: [nowhere]}]',
      'write_files:',
      '  - {path: /etc/passwd/x, content: a}',
      '  - {path: /etc/b, content: b, owner: nobody-knows}',
      '  - {path: /etc/c, content: c}',
      'unknown: 1',
    );
    const run = await host.run('apply');
    assert.equal(run.code, 1);
    assert.match(
      run.errors.join('\n'),
      /mia cannot be in nowhere[^]*\/etc\/b cannot belong to nobody-knows[^]*\/etc\/passwd\/x could not be written/,
    );
    assert.match(run.warnings.join(), /:7:1: warning: unknown key unknown/);
    assert.equal(await host.read('/etc/c'), 'c');
    assert.match(await host.read('/etc/passwd'), /^mia:/m);
  });

  it('runs a script once in a boot', async () => {
    await host.write(USER_DATA, '#!/bin/sh\necho $private_ipv4\n');
    const [first, second] = [await host.run('apply'), await host.run('apply')];
    assert.match(first.commands.join(), /^systemd-run .* -- .*\/script$/);
    assert.equal(await host.read('/var/lib/caisson/cloud-config/script'), '#!/bin/sh\necho 10.0.0.5\n');
    assert.deepEqual(second.commands, []);
    host.bootId = 'boot-2';
    assert.equal((await host.run('apply')).commands.length, 1);
  });
});

describe('sources', () => {
  const named = (name: string): string => `#cloud-config\nhostname: ${name}\n`;
  const sourceOf = async (): Promise<string> =>
    /^~ hostname host1 -> (\w+)/.exec((await host.run('apply', '--dry-run')).out)?.[1] ?? '';

  it('count in their order, one alone', async () => {
    const places: [string, string][] = [
      ['data', USER_DATA],
      ['oem', '/oem/cloud-config.yml'],
      ['firmware', '/sys/firmware/qemu_fw_cfg/by_name/opt/org.caisson/cloud-config/raw'],
      ['coreos', '/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw'],
    ];
    assert.equal(await sourceOf(), '');
    for (const [name, path] of places) {
      await host.write(path, named(name));
      assert.equal(await sourceOf(), name);
    }
    host.answers.set('/config', named('url'));
    await host.write('/proc/cmdline', `quiet cloud-config-url=${host.url}/config rw\n`);
    assert.equal(await sourceOf(), 'url');
  });

  it('that hold something for Ignition, or nothing, are passed over', async () => {
    await host.write(
      '/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw',
      '{"ignition": {"version": "3.4.0"}}',
    );
    await host.write('/oem/cloud-config.yml', '\n');
    await host.write(USER_DATA, named('data'));
    const run = await host.run('apply', '--dry-run');
    assert.match(run.infos.join('\n'), /has a config for Ignition, which is left to it\n.*oem.* is empty/);
    assert.match(run.out, /-> data/);
  });

  it('by address: an answer is kept for the day on which there is none', async () => {
    await host.write('/proc/cmdline', `cloud-config-url=${host.url}/config`);
    const missing = await host.run('apply');
    assert.match(missing.errors.join(), /\/config answered 404/);
    host.answers.set('/config', named('url'));
    assert.equal((await host.run('apply')).code, 0);
    host.answers.set('/config', {redirect: '/config'});
    const circle = await host.run('apply');
    assert.match(circle.infos.join('\n'), /leads in a circle.*what it gave last time is used/);
    assert.equal(circle.code, 0);
  });

  it('by address: says what is wrong with the address, or with what it gives', async () => {
    const complaint = async (address: string): Promise<string> => {
      await host.write('/proc/cmdline', `cloud-config-url=${address}`);
      const run = await host.run('apply');
      assert.equal(run.code, 1);
      return run.errors.join('\n');
    };
    host.answers.set('/circle', {redirect: '/circle'});
    assert.match(await complaint(`${host.url}/circle`), /\/circle leads in a circle/);
    host.answers.set('/huge', `#cloud-config\n${'# x\n'.repeat(600_000)}`);
    assert.match(await complaint(`${host.url}/huge`), /\/huge is longer than 2097152 bytes/);
    host.answers.set('/bad', '#cloud-config\nhostname: a\n  users: []\n');
    assert.match(await complaint(`${host.url}/bad`), /\/bad:\d+:\d+: error: .*line \d/);
    assert.match(await complaint('http://127.0.0.1:1/x'), /cannot reach http:\/\/127\.0\.0\.1:1\/x: /);
    assert.match(await complaint('ftp://example.org/x'), /no http or https address/);
  });

  it('that are no cloud-config are an error that says how one begins', async () => {
    await host.write(USER_DATA, 'hostname: a\n');
    assert.match(
      (await host.run('apply')).errors.join(),
      /neither #cloud-config nor a script's #!\nhint: begin with/,
    );
    await config('users:', '  - name: core', '   shell: x');
    const run = await host.run('apply');
    assert.equal(run.code, 1);
    assert.match(run.errors.join(), /user-data:4:\d+: error: .*line 4/);
  });
});

describe('validate', () => {
  it('finds every mistake, unknown keys too', async () => {
    await host.write('/c.yml', '#cloud-config\nhostnam: a\nusers:\n  - name: A\n');
    const run = await host.run('validate', join(host.root, 'c.yml'));
    assert.equal(run.code, 1);
    assert.match(
      run.errors.join('\n'),
      /c\.yml:2:1: error: unknown key hostnam; did you mean hostname\?\n.*c\.yml:4:11: error: users\[0\]/,
    );
    await host.write('/c.yml', FULL);
    const good = await host.run('validate', join(host.root, 'c.yml'));
    assert.deepEqual([good.code, good.errors], [0, []]);
    assert.equal((await host.run('--from-file', join(host.root, 'c.yml'), '--validate')).code, 0);
  });
});
