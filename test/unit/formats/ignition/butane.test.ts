import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {gunzipSync} from 'node:zlib';
import {type LocalFiles, translateButane} from '../../../../formats/ignition/butane.ts';
import {checkIgnitionConfig} from '../../../../formats/ignition/check-config.ts';
import {escapePath} from '../../../../formats/ignition/mount-unit.ts';

const HEAD = 'variant: caisson\nversion: 1.0.0\n';

function translate(text: string, files: LocalFiles | null = null): Record<string, unknown> {
  const {text: json, findings} = translateButane(HEAD + text, files);
  assert.deepEqual(findings, []);
  assert.ok(json !== null);
  // What is written must be a config by our own table, and say the same again.
  assert.deepEqual(checkIgnitionConfig(Buffer.from(json), 'translation'), []);
  return JSON.parse(json) as Record<string, unknown>;
}

function complaints(text: string, files: LocalFiles | null = null): string[] {
  return translateButane(text, files).findings.map((each) => `${each.line}:${each.column} ${each.text}`);
}

const FOLDER: Readonly<Record<string, string>> = {
  'hello.service': '[Service]\nExecStart=/bin/true\n',
  'keys.pub': 'ssh-ed25519 AAAA a\n\nssh-ed25519 BBBB b\n',
  'tree/etc/a.conf': 'a\n',
  'tree/opt/bin/run': '#!/bin/sh\n',
};

const files: LocalFiles = {
  read(path) {
    const found = FOLDER[path];
    if (found === undefined) throw new Error(`${path} does not exist`);
    return Buffer.from(found);
  },
  list: () => [
    {kind: 'directory', path: 'etc'},
    {kind: 'file', path: 'etc/a.conf', isExecutable: false},
    {kind: 'file', path: 'opt/bin/run', isExecutable: true},
    {kind: 'link', path: 'etc/b.conf', target: 'a.conf'},
  ],
};

describe('translateButane', () => {
  it('translates every section by its names', () => {
    const config = translate(`
ignition:
  config: {merge: [{source: "https://example.org/base.ign", verification: {hash: sha256-${'a'.repeat(64)}}}]}
passwd:
  users:
    - name: ada
      password_hash: $y$j9T$x
      ssh_authorized_keys: [ssh-ed25519 AAAA ada]
      home_dir: /home/ada
      uid: 1500
      no_user_group: true
storage:
  disks:
    - device: /dev/vdb
      wipe_table: true
      partitions: [{label: data, number: 1, size_mib: 0, start_mib: 1, type_guid: 0FC63DAF-8483-4772-8E79-3D69D8477DE4}]
  directories: [{path: /srv/x, mode: 0750}]
  links: [{path: /etc/localtime, target: /usr/share/zoneinfo/UTC}]
systemd:
  units: [{name: a.service, enabled: true, dropins: [{name: x.conf, contents: "[Service]\\n"}]}]
`);
    assert.deepEqual(config, {
      ignition: {
        config: {
          merge: [{source: 'https://example.org/base.ign', verification: {hash: `sha256-${'a'.repeat(64)}`}}],
        },
        version: '3.3.0',
      },
      storage: {
        disks: [
          {
            device: '/dev/vdb',
            wipeTable: true,
            partitions: [
              {
                label: 'data',
                number: 1,
                sizeMiB: 0,
                startMiB: 1,
                typeGuid: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
              },
            ],
          },
        ],
        directories: [{path: '/srv/x', mode: 488}],
        links: [{path: '/etc/localtime', target: '/usr/share/zoneinfo/UTC'}],
      },
      passwd: {
        users: [
          {
            name: 'ada',
            passwordHash: '$y$j9T$x',
            sshAuthorizedKeys: ['ssh-ed25519 AAAA ada'],
            homeDir: '/home/ada',
            uid: 1500,
            noUserGroup: true,
          },
        ],
      },
      systemd: {
        units: [{name: 'a.service', enabled: true, dropins: [{name: 'x.conf', contents: '[Service]\n'}]}],
      },
    });
  });

  it('puts contents into the config, packed when that is shorter', () => {
    const {storage} = translate(
      `storage:\n  files:\n    - {path: /a, contents: {inline: "a b\\n"}}\n    - {path: /b, contents: {inline: "${'long '.repeat(200)}"}}\n`,
    ) as {storage: {files: readonly {contents: {source: string; compression: string}}[]}};
    const [short, long] = storage.files.map(({contents}) => contents);
    assert.deepEqual(short, {source: 'data:,a%20b%0A', compression: ''});
    assert.equal(long?.compression, 'gzip');
    const packed = Buffer.from(long.source.slice('data:;base64,'.length), 'base64');
    assert.equal(gunzipSync(packed).toString(), 'long '.repeat(200));
  });

  it('takes files, keys, units and trees from a folder', () => {
    const config = translate(
      `
passwd: {users: [{name: core, ssh_authorized_keys_local: [keys.pub]}]}
storage: {trees: [{local: tree}]}
systemd: {units: [{name: hello.service, contents_local: hello.service}]}
`,
      files,
    );
    assert.deepEqual(config['passwd'], {
      users: [{name: 'core', sshAuthorizedKeys: ['ssh-ed25519 AAAA a', 'ssh-ed25519 BBBB b']}],
    });
    assert.deepEqual(config['storage'], {
      files: [
        {path: '/etc/a.conf', mode: 420, contents: {source: 'data:,a%0A', compression: ''}},
        {path: '/opt/bin/run', mode: 493, contents: {source: 'data:,%23!%2Fbin%2Fsh%0A', compression: ''}},
      ],
      links: [{path: '/etc/b.conf', target: 'a.conf'}],
    });
    assert.deepEqual(config['systemd'], {
      units: [{name: 'hello.service', contents: FOLDER['hello.service']}],
    });
  });

  it('makes mount units and swap units', () => {
    const {systemd} = translate(`
storage:
  filesystems:
    - {device: /dev/disk/by-label/data, format: ext4, path: /var/lib/data-1, with_mount_unit: true, mount_options: [noatime]}
    - {device: /dev/vdb1, format: swap, with_mount_unit: true}
`) as {systemd: {units: {name: string; contents: string; enabled: boolean}[]}};
    assert.deepEqual(
      systemd.units.map(({name}) => name),
      ['var-lib-data\\x2d1.mount', 'dev-vdb1.swap'],
    );
    assert.match(systemd.units[0]?.contents ?? '', /^Options=noatime$/m);
    assert.match(
      systemd.units[0]?.contents ?? '',
      /^After=systemd-fsck@dev-disk-by\\x2dlabel-data\.service$/m,
    );
    assert.match(systemd.units[1]?.contents ?? '', /^RequiredBy=swap\.target$/m);
  });

  it('says where a mistake is, and what was meant', () => {
    assert.deepEqual(
      complaints(`${HEAD}passwd:\n  users:\n    - name: ada\n      ssh_authorised_keys: [a]\n`),
      ['6:7 unknown key passwd.users[0].ssh_authorised_keys; did you mean ssh_authorized_keys?'],
    );
    assert.deepEqual(complaints(`${HEAD}storage:\n  files:\n    - path: etc/a\n      mode: 644\n`), [
      '5:13 storage.files[0].path: "etc/a" does not begin with /',
      '6:13 storage.files[0].mode: 644 is the decimal number, 01204 in octal; 0644 is 420',
    ]);
    assert.deepEqual(complaints('variant: rhcos\nversion: 1.0.0\n'), [
      '1:1 variant is "rhcos", expected one of caisson, fcos, flatcar',
    ]);
    assert.deepEqual(complaints('variant: fcos\nversion: 1.9.0\n'), [
      '1:1 version is "1.9.0", which variant fcos does not have here',
    ]);
  });

  it('refuses what this system does not do, and files outside the folder', () => {
    assert.match(complaints(`${HEAD}storage: {raid: [{name: a, devices: [/dev/a]}]}\n`)[0] ?? '', /no mdadm/);
    assert.match(complaints(`${HEAD}kernel_arguments: {should_exist: [a=b]}\n`)[0] ?? '', /addon/);
    assert.match(
      complaints(`${HEAD}storage:\n  filesystems: [{device: /dev/vdb, format: xfs, path: /srv}]\n`)[0] ?? '',
      /"xfs" is not one of ext4/,
    );
    const local = (path: string): string =>
      `${HEAD}storage: {files: [{path: /a, contents: {local: ${path}}}]}\n`;
    assert.match(complaints(local('../a'), files)[0] ?? '', /does not lie below --files-dir/);
    assert.match(complaints(local('a'), null)[0] ?? '', /need --files-dir/);
    assert.match(complaints(local('missing'), files)[0] ?? '', /missing does not exist/);
  });
});

describe('escapePath', () => {
  it('does as systemd-escape --path', () => {
    assert.equal(escapePath('/'), '-');
    assert.equal(escapePath('/var/lib/a-b'), 'var-lib-a\\x2db');
    assert.equal(escapePath('/.hidden/ä'), '\\x2ehidden-\\xc3\\xa4');
  });
});
