/**
 * Hosts that are told a discovery URL and nothing else become a cluster of etcd: with the real discovery service, and what
 * cloud-config makes of the config. Needs etcd, etcd-discovery, unshare.
 */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, beforeEach, describe, it} from 'node:test';
import {CLASSIC} from '../fixtures/cloud-configs.ts';
import {type DiscoveryService, startDiscovery} from '../support/discovery-service.ts';
import {
  type EtcdHost,
  type EtcdHostOptions,
  createEtcdHost,
  loopbackAddresses,
} from '../support/etcd-host.ts';

const EXAMPLE_URL = 'https://discovery.etcd.io/ba09c';

let service: DiscoveryService;
let folder: string;
let hosts: EtcdHost[] = [];
before(async () => void (service = await startDiscovery()));
after(() => service.close());
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'etcd-hosts-'))));
afterEach(async () => {
  await Promise.all(hosts.map((host) => host.kill()));
  hosts = [];
  await rm(folder, {recursive: true, force: true});
  await service.start();
});

/** One host for each config. */
async function makeHosts(
  configs: readonly string[],
  options: Pick<EtcdHostOptions, 'settings' | 'rejoins'> = {},
): Promise<EtcdHost[]> {
  const addresses = loopbackAddresses(configs.length);
  const made: EtcdHost[] = [];
  for (const [index, config] of configs.entries())
    made.push(await createEtcdHost({...options, config, folder, address: addresses[index] ?? ''}));
  hosts.push(...made);
  return made;
}

async function makeHost(
  config: string,
  options?: Pick<EtcdHostOptions, 'settings' | 'rejoins'>,
): Promise<EtcdHost> {
  const [host] = await makeHosts([config], options);
  assert.ok(host !== undefined);
  return host;
}

const classic = (token: string): string => CLASSIC.replace(EXAMPLE_URL, token);

const section = (name: string, token: string, ...lines: string[]): string =>
  [
    '#cloud-config',
    'coreos:',
    `  ${name}:`,
    `    discovery: ${token}`,
    ...lines.map((line) => `    ${line}`),
    '',
  ].join('\n');

async function startAll(members: readonly EtcdHost[]): Promise<void> {
  for (const member of members) member.start();
  await Promise.all(members.map((member) => member.ready()));
}

/** Every host is a member that runs, and what is put on one is read on the others. */
async function assertCluster(members: readonly EtcdHost[]): Promise<void> {
  const [first] = members;
  assert.ok(first !== undefined);
  const listed = (await first.etcdctl('member', 'list')).trim().split('\n');
  assert.deepEqual(
    listed.map((line) => line.split(', ').slice(1, 4).join(' ')).sort(),
    members
      .map(({machineId, environment}) =>
        ['started', machineId, environment.get('ETCD_INITIAL_ADVERTISE_PEER_URLS')].join(' '),
      )
      .sort(),
  );
  for (const writer of members) {
    await writer.etcdctl('put', 'from', writer.address);
    for (const reader of members)
      assert.equal(await reader.etcdctl('get', '--print-value-only', 'from'), `${writer.address}\n`);
  }
}

describe('a discovery URL', () => {
  it('makes three hosts with the config of 2014 a cluster', async () => {
    const token = await service.newToken();
    const members = await makeHosts([classic(token), classic(token), classic(token)]);
    await startAll(members);
    await assertCluster(members);
    assert.deepEqual(
      (await service.members(token)).sort(),
      members.map(({machineId, address}) => `${machineId}=http://${address}:2380`).sort(),
    );
    const v2 = await fetch(`http://${members[0]?.address}:2379/v2/keys/message`, {
      method: 'PUT',
      body: new URLSearchParams({value: 'hello'}),
    });
    assert.equal(v2.status, 201);
  });

  it('works in every section that a config may have it in, for members that differ', async () => {
    const token = await service.newToken(3);
    const members = await makeHosts([
      section('etcd', token, 'addr: $private_ipv4:2379', 'peer-addr: $private_ipv4:7001'),
      section(
        'etcd2',
        token,
        'advertise-client-urls: http://$private_ipv4:2379',
        'initial-advertise-peer-urls: http://$private_ipv4:2380',
        'listen-client-urls: http://$private_ipv4:2379',
        'listen-peer-urls: http://$private_ipv4:2380',
      ),
      section('etcd3', token, 'heartbeat-interval: 150', 'election-timeout: 1500'),
    ]);
    // Together they have one wildcard address; a host has its own.
    const [first] = members;
    assert.equal(first?.environment.get('ETCD_LISTEN_PEER_URLS'), 'http://0.0.0.0:7001');
    assert.equal(members[2]?.environment.get('ETCD_ENABLE_V2'), undefined);
    await startAll(members);
    await assertCluster(members);
  });

  it('is not needed any more once the cluster was formed', async () => {
    const token = await service.newToken(3);
    const members = await makeHosts([classic(token), classic(token), classic(token)]);
    await startAll(members);
    await service.stop();
    for (const member of members) {
      await member.kill();
      member.start();
      await member.ready();
    }
    await assertCluster(members);
    await Promise.all(members.map((member) => member.kill()));
    await startAll(members);
    await assertCluster(members);
  });

  it('is tried until the service answers', async () => {
    const token = await service.newToken(1);
    await service.stop();
    const host = await makeHost(classic(token));
    host.start();
    await host.says(/failed to get from discovery server.*connection refused/);
    await host.says(/retry connecting to discovery service/);
    await service.start();
    await host.ready();
    await assertCluster([host]);
  });

  it('is no place for a fourth host of three: it says so and ends, where a proxy would ask itself', async () => {
    const token = await service.newToken(1);
    const [member, late] = await makeHosts([classic(token), classic(token)]);
    assert.ok(member !== undefined && late !== undefined);
    await startAll([member]);
    late.start();
    assert.equal(await late.ended(), 1);
    assert.match(late.journal, /discovery: cluster is full/);
    assert.match(late.journal, /generate a new one to bootstrap a cluster/);
    await assertCluster([member]);
  });

  it('makes a proxy of it when members can be reached by clients', async () => {
    const token = await service.newToken(1);
    // Said here, because these hosts' addresses count as loopback.
    const reachable = section('etcd2', token, 'discovery-fallback: proxy');
    const [member, late] = await makeHosts([reachable, reachable]);
    assert.ok(member !== undefined && late !== undefined);
    await startAll([member]);
    late.start();
    await late.says(/discovery cluster is full, falling back to proxy/);
    await late.says(/v2 proxy started listening on client requests/);
    const url = `http://${late.address}:2379`;
    const put = await fetch(`${url}/v2/keys/message`, {
      method: 'PUT',
      body: new URLSearchParams({value: 'through'}),
    });
    assert.equal(put.status, 201);
    const direct = await fetch(`http://${member.address}:2379/v2/keys/message`);
    assert.match(await direct.text(), /"value":"through"/);
    // The JSON form of v3, in which hosts ask for the reboot lock, passes as well.
    const range = await fetch(`${url}/v3/kv/range`, {method: 'POST', body: JSON.stringify({key: 'AA=='})});
    assert.equal(range.status, 200);
  });

  it('that the service does not know, or that is none, is named in the journal', async () => {
    const withoutSize = `${service.url}/${'b'.repeat(32)}`;
    await fetch(`${withoutSize}/1`, {
      method: 'PUT',
      body: new URLSearchParams({value: 'a=http://127.0.0.1:1'}),
    });
    const [unknown, cut, zero, unsized] = await makeHosts([
      classic(`${service.url}/${'a'.repeat(32)}`),
      classic(`${service.url}/ba09c`),
      classic(await service.newToken(0)),
      classic(withoutSize),
    ]);
    assert.ok(unknown !== undefined && cut !== undefined && zero !== undefined && unsized !== undefined);
    for (const host of [unknown, cut, zero, unsized]) host.start();
    assert.equal(await unsized.ended(), 1);
    assert.match(unsized.journal, /Key not found \(\/_etcd\/registry\/b{32}\/_config\)/);
    assert.equal(await unknown.ended(), 1);
    assert.match(unknown.journal, /Key not found \(\/_etcd\/registry\/a{32}\)/);
    assert.equal(await cut.ended(), 1);
    assert.match(cut.journal, /bad discovery endpoint/);
    assert.notEqual(await zero.ended(), 0);
    assert.match(zero.journal, /found all needed peers from discovery server.*"found-peers":0/);
  });

  it('keeps a host out that ended after it had registered, if nothing runs before etcd', async () => {
    const host = await makeHost(classic(await service.newToken(2)));
    host.start();
    await host.says(/found peers from discovery server; waiting for more/);
    await host.kill();
    host.start();
    assert.equal(await host.ended(), 1);
    assert.match(host.journal, /member has been registered with discovery service/);
    assert.match(host.journal, /use a new discovery token if previous bootstrap failed/);
  });

  it('takes hosts back that ended after they had registered, in whatever order they come', async () => {
    const config = classic(await service.newToken(3));
    const members = await makeHosts([config, config, config], {rejoins: true});
    const [one, two, three] = members;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    for (const host of [one, two]) {
      host.start();
      await host.says(/found peers from discovery server; waiting for more/);
      await host.kill();
    }
    one.start();
    three.start();
    await three.says(/found all needed peers from discovery server/);
    two.start();
    await Promise.all(members.map((member) => member.ready()));
    await assertCluster(members);
    await one.kill();
    await service.stop();
    one.start();
    await one.ready();
    await assertCluster(members);
  });
});
