import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {etcdSettings, memberFiles, setupScript} from '../../../../qemu/cluster/member-setup.ts';
import {planMembers} from '../../../../qemu/cluster/plan.ts';
import {QemuError} from '../../../../qemu/errors.ts';

const members = planMembers(3);
const [, self = members[0]] = members;
assert.ok(self !== undefined);
const updateSettings = {SERVER: 'http://10.0.2.2:8000/v1/update/', REBOOT_STRATEGY: 'etcd-lock'};
const files = memberFiles({self, members, updateSettings});

function textOf(path: string): string {
  return files.find((file) => file.path === path)?.text ?? '';
}

function isBadSpec(error: unknown): boolean {
  return error instanceof QemuError && error.code === 'bad-spec';
}

describe('memberFiles', () => {
  it('gives the card its address by its MAC address', () => {
    const text = textOf('/etc/systemd/network/10-cluster.network');
    assert.match(text, /^MACAddress=52:54:00:ca:77:02$/m);
    assert.match(text, /^Address=10\.77\.0\.12\/24$/m);
  });

  it('names all members', () => {
    assert.equal(textOf('/etc/hostname'), 'node2\n');
    assert.match(textOf('/etc/hosts'), /^10\.77\.0\.11 node1\n10\.77\.0\.12 node2\n10\.77\.0\.13 node3$/m);
  });

  it('writes the settings of updates as they are', () => {
    assert.equal(
      textOf('/etc/caisson/update.conf'),
      'SERVER=http://10.0.2.2:8000/v1/update/\nREBOOT_STRATEGY=etcd-lock\n',
    );
  });

  for (const [key, value] of [
    ['SERVER', 'a\nb'],
    ['a b', 'c'],
    ['', 'c'],
  ] as const)
    it(`refuses ${JSON.stringify(`${key}=${value}`)}`, () =>
      assert.throws(() => memberFiles({self, members, updateSettings: {[key]: value}}), isBadSpec));
});

describe('etcdSettings', () => {
  it('differ between members in name and own addresses only', () => {
    const all = members.map((member) => etcdSettings(member, members));
    for (const key of Object.keys(all[0] ?? {})) {
      const values = new Set(all.map((settings) => settings[key]));
      const isOwn =
        /^ETCD_(NAME|LISTEN_PEER_URLS|(INITIAL_)?ADVERTISE_(PEER|CLIENT)_URLS|INITIAL_ADVERTISE_PEER_URLS)$/;
      assert.equal(values.size, isOwn.test(key) ? 3 : 1, key);
    }
  });

  it('have every member in the initial cluster', () => {
    assert.equal(
      etcdSettings(self, members)['ETCD_INITIAL_CLUSTER'],
      'node1=http://10.77.0.11:2380,node2=http://10.77.0.12:2380,node3=http://10.77.0.13:2380',
    );
  });
});

describe('setupScript', () => {
  it('writes each file as it is', () => {
    assert.equal(
      setupScript([{path: '/etc/a/b.conf', text: "it's $HOME `x`\n"}]),
      "install -D -m 0644 /dev/stdin /etc/a/b.conf <<'END-OF-FILE'\nit's $HOME `x`\nEND-OF-FILE\n",
    );
  });

  for (const file of [
    {path: 'etc/a', text: 'x\n'},
    {path: '/etc/a; reboot', text: 'x\n'},
    {path: '/etc/a', text: 'no newline'},
    {path: '/etc/a', text: 'x\nEND-OF-FILE\nreboot\n'},
  ])
    it(`refuses ${JSON.stringify(file)}`, () => assert.throws(() => setupScript([file]), isBadSpec));
});
