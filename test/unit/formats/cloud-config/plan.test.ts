import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {parseCloudConfig} from '../../../../formats/cloud-config/parse.ts';
import {planConfig} from '../../../../formats/cloud-config/plan.ts';
import type {Addresses} from '../../../../formats/cloud-config/substitute.ts';
import {missingUnitHint} from '../../../../formats/cloud-config/unit-names.ts';
import type {Wanted} from '../../../../formats/cloud-config/wanted.ts';
import {CLASSIC, FULL, TEST_KEY} from '../../../fixtures/cloud-configs.ts';

const ADDRESSES: Addresses = {
  public_ipv4: '203.0.113.5',
  private_ipv4: '10.0.0.5',
  public_ipv6: null,
  private_ipv6: null,
};

function plan(text: string, addresses = ADDRESSES): Wanted {
  const {config} = parseCloudConfig(text, addresses);
  return planConfig(config, {addresses, hostname: 'host1', mentionsEnvironment: /COREOS_/.test(text)});
}

function textOf(wanted: Wanted, path: string): string {
  const file = wanted.files.find((each) => each.path === path);
  assert.ok(file !== undefined, `${path} is not among ${wanted.files.map((each) => each.path).join(' ')}`);
  return Buffer.from(file.content).toString();
}

const ETCD = '/etc/systemd/system/etcd.service.d/20-cloudinit.conf';

describe('planConfig', () => {
  it('makes a member of a cluster of what an operator wrote in 2014', () => {
    const wanted = plan(CLASSIC);
    assert.equal(
      textOf(wanted, ETCD).replace(/^#.*\n/, ''),
      [
        '[Service]',
        'Environment="ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.5:2380"',
        'Environment="ETCD_LISTEN_PEER_URLS=http://10.0.0.5:2380"',
        'Environment="ETCD_DISCOVERY=https://discovery.etcd.io/ba09c"',
        'Environment="ETCD_ENABLE_V2=true"',
        'Environment="ETCD_DISCOVERY_FALLBACK=exit"',
        'TimeoutStartSec=infinity',
        'RuntimeDirectory=etcd',
        'ExecStartPre=/usr/bin/node /usr/lib/caisson/etcd-discovery.mjs',
        'EnvironmentFile=-/run/etcd/discovered.env',
        '',
      ].join('\n'),
    );
    assert.deepEqual(wanted.keys, [
      {user: 'core', keys: [], imports: [{kind: 'github', account: 'philips'}]},
    ]);
    assert.deepEqual(
      wanted.units.map(({name, command}) => `${name} ${command}`),
      ['etcd.service start', 'fleet.service start'],
    );
    assert.match(missingUnitHint('fleet.service'), /fleet is no part/);
    assert.match(missingUnitHint('constructor'), /give it content/);
  });

  it('says that a cluster without any address cannot be', () => {
    const none = {public_ipv4: null, private_ipv4: null, public_ipv6: null, private_ipv6: null};
    assert.match(plan(CLASSIC, none).notes.join(), /no address for its members/);
    const six = plan(CLASSIC, {...none, private_ipv6: 'fd00::5'});
    assert.match(textOf(six, ETCD), /=http:\/\/\[fd00::5\]:2380"/);
  });

  it('knows the place, rights and unit of every file', () => {
    const wanted = plan(FULL);
    assert.deepEqual(
      wanted.files.map(({path, mode, owner, unit}) => `${path} ${mode.toString(8)} ${owner} ${unit}`),
      [
        '/etc/resolv.conf 644 root null',
        '/opt/bin/hello 755 core:docker null',
        '/etc/oem-release 644 root:root null',
        '/etc/hosts 644 root:root null',
        '/run/flannel/options.env 644 root:root null',
        `${ETCD} 644 root:root etcd.service`,
        '/etc/systemd/system/fleet.service.d/20-cloudinit.conf 644 root:root fleet.service',
        '/etc/systemd/system/docker-tcp.socket 644 root:root docker-tcp.socket',
        '/etc/systemd/system/docker.service.d/50-insecure-registry.conf 644 root:root docker.service',
        '/run/systemd/network/50-static.network 644 root:root 50-static.network',
      ],
    );
    assert.match(textOf(wanted, '/etc/hosts'), /^127\.0\.0\.1 localhost node1\.example\.com$/m);
    assert.match(textOf(wanted, '/etc/oem-release'), /^NAME="Rackspace Cloud Servers"$/m);
    assert.equal(wanted.assignments[0]?.path, '/etc/caisson/update.conf');
    assert.equal(wanted.hostname, 'node1.example.com');
  });

  it('joins the keys of one user from all places', () => {
    const {keys} = plan(
      `ssh_authorized_keys: ["${TEST_KEY}"]\nusers: [{name: core, ssh-authorized-keys: ["${TEST_KEY}"], coreos-ssh-import-github: a}]`,
    );
    assert.deepEqual(keys, [{user: 'core', keys: [TEST_KEY], imports: [{kind: 'github', account: 'a'}]}]);
  });

  it('calls units by the names they have now, but leaves those of the config alone', () => {
    const renamed = plan('coreos: {units: [{name: etcd2.service, command: start}]}');
    assert.deepEqual(
      [renamed.units[0]?.name, renamed.notes],
      ['etcd.service', ['etcd2.service is etcd.service on this OS']],
    );
    const own = plan('coreos: {units: [{name: etcd2.service, content: "[Service]", command: start}]}');
    assert.equal(own.units[0]?.name, 'etcd2.service');
  });

  it('lets etcd write where the config puts its data', () => {
    const text = textOf(plan('coreos: {etcd2: {data-dir: /var/lib/etcd2, name: "a%b"}}'), ETCD);
    assert.match(text, /^ReadWritePaths=-\/var\/lib\/etcd2$/m);
    assert.match(text, /-o etcd -g etcd -m 0700 \/var\/lib\/etcd2$/m);
    assert.match(text, /ETCD_NAME=a%%b/);
  });

  it('keeps files with passwords from other users', () => {
    const wanted = plan(
      'coreos: {fleet: {etcd-password: a}, locksmith: {etcd-username: b, etcd-password: c}}',
    );
    assert.equal(wanted.files[0]?.mode, 0o600);
    assert.equal(wanted.assignments[0]?.isSecret, true);
  });

  it('writes the variables of CoreOS where a config speaks of them', () => {
    assert.deepEqual(
      plan('hostname: a # COREOS_').assignments.map(({path, values}) => [path, [...values]]),
      [
        [
          '/etc/environment',
          [
            ['COREOS_PUBLIC_IPV4', '203.0.113.5'],
            ['COREOS_PRIVATE_IPV4', '10.0.0.5'],
          ],
        ],
      ],
    );
  });
});
