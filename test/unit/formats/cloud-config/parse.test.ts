import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {gzipSync} from 'node:zlib';
import {parseCloudConfig} from '../../../../formats/cloud-config/parse.ts';
import type {CloudConfig} from '../../../../formats/cloud-config/types.ts';
import {YamlError} from '../../../../formats/yaml.ts';
import {CLASSIC, FULL, TEST_KEY} from '../../../fixtures/cloud-configs.ts';
import {fc, succeedsOrThrows} from '../../../support/property.ts';

const ADDRESSES = {
  public_ipv4: '203.0.113.5',
  private_ipv4: '10.0.0.5',
  public_ipv6: null,
  private_ipv6: null,
};

/** Findings as `line kind text`. */
function findingsOf(text: string): string[] {
  return parseCloudConfig(text, ADDRESSES).findings.map(
    ({kind, line, text: what}) => `${line} ${kind} ${what}`,
  );
}

function cleanly(text: string): CloudConfig {
  const {config, findings} = parseCloudConfig(text, ADDRESSES);
  assert.deepEqual(findings, []);
  return config;
}

/** One finding, on this line. */
function finds(text: string, line: number, pattern: RegExp): void {
  const [first = '', ...more] = findingsOf(text);
  assert.deepEqual(more, [], first);
  assert.match(first, pattern);
  assert.equal(Number.parseInt(first, 10), line, first);
}

describe('parseCloudConfig', () => {
  it('reads what an operator wrote in 2014', () => {
    const config = cleanly(CLASSIC);
    assert.equal(config.users[0]?.name, 'core');
    assert.deepEqual(config.users[0].imports, [{kind: 'github', account: 'philips'}]);
    assert.deepEqual(
      config.units.map(({name, command}) => `${name} ${command}`),
      ['etcd.service start', 'fleet.service start'],
    );
    const [etcd] = config.daemons;
    assert.equal(etcd?.variables.get('ETCD_DISCOVERY'), 'https://discovery.etcd.io/ba09c');
    assert.equal(etcd.variables.get('ETCD_ENABLE_V2'), 'true');
    assert.equal(etcd.wantsPeerAddress, true);
  });

  it('reads every key, in both spellings', () => {
    const config = cleanly(FULL);
    assert.deepEqual(config.users[0], {
      name: 'elroy',
      gecos: 'Elroy J.',
      passwordHash: '$6$5s2u6/jR$un0AvWnqilcgaNB3Mkxd5yYv6mTlWfOoCYHZmfi3LDKVltj.E8XNKEcwWm',
      homedir: '/home/elroy',
      noCreateHome: false,
      primaryGroup: 'docker',
      groups: ['sudo', 'docker'],
      noUserGroup: true,
      system: false,
      noLogInit: true,
      shell: '/bin/bash',
      inactive: false,
      lockPassword: false,
      sshAuthorizedKeys: [TEST_KEY],
      imports: [
        {kind: 'github', account: 'elroy'},
        {kind: 'github', account: 'philips'},
        {kind: 'github', account: 'a-b'},
        {kind: 'url', url: 'https://keys.example.com/elroy'},
      ],
    });
    const [resolv, hello] = config.writeFiles;
    assert.deepEqual([resolv?.mode, resolv?.owner], [0o644, 'root']);
    assert.deepEqual([hello?.mode, hello?.owner], [0o755, 'core:docker']);
    assert.equal(Buffer.from(hello?.content ?? []).toString(), '#!/bin/sh\necho hello\n');
    assert.deepEqual(Object.fromEntries(config.updateConf), {
      REBOOT_STRATEGY: 'etcd-lock',
      GROUP: 'beta',
      SERVER: 'https://updates.example.com/v1/update/',
      LOCKSMITHD_ENDPOINT: 'http://192.0.2.7:2379',
      LOCKSMITHD_GROUP: 'web',
      REBOOT_WINDOW_START: 'Thu 04:00',
      REBOOT_WINDOW_LENGTH: '1h30m',
    });
    const [etcd, fleet] = config.daemons;
    assert.equal(etcd?.variables.get('ETCD_ADVERTISE_CLIENT_URLS'), 'http://10.0.0.5:2379');
    assert.equal(etcd.variables.get('ETCD_STRICT_RECONFIG_CHECK'), 'true');
    assert.equal(etcd.wantsPeerAddress, false);
    assert.deepEqual(Object.fromEntries(fleet?.variables ?? []), {
      FLEET_PUBLIC_IP: '203.0.113.5',
      FLEET_METADATA: 'region=us-west,disk=ssd',
    });
    assert.equal(config.flannel.get('FLANNELD_IFACE'), '10.0.0.5');
    assert.equal(config.oem.get('VERSION_ID'), '168.0.0');
    assert.deepEqual(
      config.units.map(({name, enable, mask, runtime, dropIns}) => [
        name,
        enable,
        mask,
        runtime,
        dropIns.length,
      ]),
      [
        ['docker-tcp.socket', true, null, false, 0],
        ['docker.service', false, null, false, 1],
        ['rpcbind.service', false, true, false, 0],
        ['50-static.network', false, null, true, 0],
      ],
    );
  });

  it('takes an empty config, and CRLF', () => {
    assert.deepEqual(cleanly('#cloud-config\n').users, []);
    assert.equal(cleanly('#cloud-config\r\nhostname: a\r\n').hostname, 'a');
  });

  it('reads numbers and words of YAML as the text they are', () => {
    assert.equal(cleanly('hostname: 042\n').hostname, '042');
    assert.equal(cleanly('users: [{name: no}]\n').users[0]?.name, 'no');
    for (const [written, mode] of [
      ['0644', 0o644],
      ['644', 0o644],
      ['"0755"', 0o755],
      ['4755', 0o4755],
      ['0o600', 0o600],
    ] as const)
      assert.equal(
        cleanly(`write_files: [{path: /etc/a, permissions: ${written}}]`).writeFiles[0]?.mode,
        mode,
      );
  });

  it('tells switches from words that YAML takes for one', () => {
    const text = 'coreos: {update: {reboot-strategy: off}, etcd2: {proxy: on, client-cert-auth: on}}';
    const {updateConf, daemons} = cleanly(text);
    assert.equal(updateConf.get('REBOOT_STRATEGY'), 'off');
    assert.equal(daemons[0]?.variables.get('ETCD_PROXY'), 'on');
    assert.equal(daemons[0].variables.get('ETCD_CLIENT_CERT_AUTH'), 'true');
  });

  it('names the line of an unknown key and the one that was meant', () => {
    finds('#cloud-config\nhostnam: a\n', 2, /unknown-key unknown key hostnam; did you mean hostname\?/);
    finds(
      'coreos:\n  units:\n    - name: a.service\n      comand: start\n',
      4,
      /coreos\.units\[0\]\.comand; did you mean command/,
    );
    finds('users:\n  - name: core\n    sudo: ALL\n', 3, /unknown key users\[0\]\.sudo$/);
  });

  it('finds what is wrong with a value, and leaves out only that', () => {
    finds('hostname: -a\n', 1, /hostname "-a" is no name/);
    finds('hostname:\n  - a\n', 2, /hostname is a list, expected text/);
    finds('users:\n  - gecos: x\n', 2, /users\[0\] has no name/);
    finds('users:\n  - name: Root User\n', 2, /is no name of a user/);
    finds('users:\n  - name: a\n    passwd: secret\n', 3, /passwd is no hash/);
    finds('users:\n  - name: a\n    coreos-ssh-import-github: a/b\n', 3, /is no name of a GitHub account/);
    finds('users:\n  - name: a\n    coreos-ssh-import-url: ftp:\/\/a\/b\n', 3, /no http or https address/);
    finds(
      'ssh_authorized_keys:\n  - ssh-rsa nonsense\n',
      2,
      /ssh_authorized_keys\[0\] is ssh-rsa is not followed/,
    );
    finds('write_files:\n  - path: etc/a\n', 2, /is no absolute path/);
    finds('write_files:\n  - path: /etc/../usr/a\n', 2, /\. or \.\. in it/);
    finds('write_files:\n  - path: /usr/bin/a\n', 2, /belongs to the release/);
    finds('write_files:\n  - path: /etc/a\n    permissions: rw-r--r--\n', 3, /no octal digits/);
    finds('write_files:\n  - path: /etc/a\n    encoding: rot13\n', 3, /is none of base64/);
    finds('write_files:\n  - path: /etc/a\n    encoding: b64\n    content: "?"\n', 4, /is not base64/);
    finds('write_files:\n  - path: /etc/a\n    owner: a b\n', 3, /neither "user" nor "user:group"/);
    finds('manage_etc_hosts: true\n', 1, /the only value is localhost/);
    finds('coreos:\n  units:\n    - name: a\n', 3, /no name of a unit/);
    finds(
      'coreos:\n  units:\n    - name: a.service\n      command: go\n',
      4,
      /command "go" is none of start/,
    );
    finds(
      'coreos:\n  units:\n    - name: a.service\n      enable: maybe\n',
      4,
      /"maybe", expected true or false/,
    );
    finds(
      'coreos:\n  units:\n    - {name: a.service, mask: true, command: start}\n',
      3,
      /cannot be masked and/,
    );
    finds(
      'coreos:\n  update:\n    reboot-strategy: sometimes\n',
      3,
      /REBOOT_STRATEGY="sometimes" is none of/,
    );
    finds(
      'coreos:\n  locksmith:\n    window-start: 25:00\n    window-length: 1h\n',
      3,
      /REBOOT_WINDOW_START/,
    );
    const {config} = parseCloudConfig('hostname: -a\nusers:\n  - name: b\n', ADDRESSES);
    assert.deepEqual([config.hostname, config.users[0]?.name], [null, 'b']);
  });

  it('never shows a password that was written in clear', () => {
    assert.ok(!findingsOf('users: [{name: a, passwd: "hunter2 hunter2"}]').join().includes('hunter2'));
  });

  it('replaces addresses, and says which the host has not', () => {
    const text =
      'hostname: a\nwrite_files:\n  - path: /etc/a\n    content: $private_ipv4 \\$private_ipv4 $public_ipv6\n# $public_ipv6\n';
    const {config, findings} = parseCloudConfig(text, ADDRESSES);
    assert.equal(
      Buffer.from(config.writeFiles[0]?.content ?? []).toString(),
      '10.0.0.5 $private_ipv4 $public_ipv6',
    );
    assert.deepEqual(
      findings.map(({line, column}) => [line, column]),
      [[4, 43]],
    );
  });

  it('says what became of the settings of etcd 0.4 and 2', () => {
    const {config, findings} = parseCloudConfig(
      [
        'coreos:',
        '  etcd:',
        '    addr: $public_ipv4:4001',
        '    peer-addr: $private_ipv4:7001',
        '    peer-election-timeout: 500',
        '    very-verbose: true',
        '    retry-interval: 10',
        '    peers: 10.0.0.6:7001',
        '    adr: 1.2.3.4:1',
      ].join('\n'),
      ADDRESSES,
    );
    assert.deepEqual(Object.fromEntries(config.daemons[0]?.variables ?? []), {
      ETCD_ELECTION_TIMEOUT: '500',
      ETCD_LOG_LEVEL: 'debug',
      ETCD_ADVERTISE_CLIENT_URLS: 'http://203.0.113.5:4001',
      ETCD_LISTEN_CLIENT_URLS: 'http://0.0.0.0:4001',
      ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://10.0.0.5:7001',
      ETCD_LISTEN_PEER_URLS: 'http://0.0.0.0:7001',
      ETCD_ENABLE_V2: 'true',
    });
    assert.deepEqual(
      findings.map(({kind, line}) => `${kind} ${line}`),
      ['warning 7', 'error 8', 'unknown-key 9'],
    );
    assert.match(findings[1]?.text ?? '', /coreos\.etcd\.peers is no more in etcd 3\.5: use initial_cluster/);
  });

  it('takes one way to find the members of a cluster of etcd, and an address for a discovery URL', () => {
    const both =
      'coreos:\n  etcd2:\n    discovery: https://d.example.com/1\n    initial-cluster: a=http://10.0.0.5:2380';
    finds(both, 2, /only one of discovery, initial-cluster: each names the members/);
    finds(
      'coreos:\n  etcd2:\n    discovery: d.example.com/1',
      3,
      /"d\.example\.com\/1" does not begin with http/,
    );
    finds('coreos:\n  etcd3:\n    discovery: "http:///1"', 3, /does not begin with http/);
  });

  it('lets a host beyond the size of the cluster be a proxy only if it can reach the members', () => {
    const fallback = (...lines: string[]): string | undefined => {
      const text = ['coreos:', '  etcd2:', ...lines.map((line) => `    ${line}`)].join('\n');
      return parseCloudConfig(text, ADDRESSES).config.daemons[0]?.variables.get('ETCD_DISCOVERY_FALLBACK');
    };
    const discovery = 'discovery: https://d.example.com/1';
    assert.equal(fallback(discovery), 'exit');
    assert.equal(
      fallback(discovery, 'advertise-client-urls: http://127.0.0.1:2379,http://localhost:4001'),
      'exit',
    );
    assert.equal(fallback(discovery, 'advertise-client-urls: http://$private_ipv4:2379'), undefined);
    assert.equal(fallback(discovery, 'discovery-fallback: proxy'), 'proxy');
    assert.equal(fallback('name: alone'), undefined);
  });

  it('keeps a bomb in a file small', () => {
    const bomb = gzipSync(Buffer.alloc(40 << 20)).toString('base64');
    finds(
      `write_files:\n  - path: /etc/a\n    encoding: gz+b64\n    content: ${bomb}\n`,
      4,
      /unpacks to more than/,
    );
  });

  it('refuses what is no YAML, with the line', () => {
    assert.throws(
      () => parseCloudConfig('#cloud-config\nusers:\n  - name: core\n   shell: x\n', ADDRESSES),
      (error) => error instanceof YamlError && error.place?.line === 4,
    );
    assert.deepEqual(findingsOf('- a\n'), [
      '1 error the cloud-config is a list, expected keys ("name: ...")',
    ]);
  });

  it('gives a config and findings for any tree of known keys', () => {
    const keys = 'users name coreos units write_files path content etcd update group hostname command'.split(
      ' ',
    );
    const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      tree: fc.oneof(
        {maxDepth: 4},
        fc.constantFrom(null, true, 'a', 'core', 'a.service', '/etc/a', 'start', 42, ''),
        fc.array(tie('tree'), {maxLength: 3}),
        fc.dictionary(fc.constantFrom(...keys), tie('tree'), {maxKeys: 4}),
      ),
    })).tree;
    fc.assert(
      fc.property(value, (tree) =>
        succeedsOrThrows(YamlError, () => {
          const {config, findings} = parseCloudConfig(JSON.stringify(tree), ADDRESSES);
          assert.ok(findings.every(({line, text}) => line >= 0 && text !== ''));
          assert.ok(config.users.every(({name}) => /^[a-z_]/.test(name)));
        }),
      ),
    );
  });
});
