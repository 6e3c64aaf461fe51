/**
 * The other ways to a cluster of etcd: members that know each other from the start, by settings and by cloud-config, and
 * members that DNS names; and the way of a new member into an old cluster. Needs etcd, dnsmasq, ip, unshare, nsenter.
 */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {ROOT_DIR} from '../../cli/paths.ts';
import {startDiscovery} from '../support/discovery-service.ts';
import {
  type EtcdHost,
  type EtcdHostOptions,
  createEtcdHost,
  loopbackAddresses,
} from '../support/etcd-host.ts';
import {type NameServer, type Zone, startNameServer} from '../support/name-server.ts';

const ADD_DEADLINE_MS = 180_000;
const ADD_EVERY_MS = 500;

let folder: string;
let hosts: EtcdHost[] = [];
let names: NameServer | undefined;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'etcd-hosts-'))));
afterEach(async () => {
  await Promise.all(hosts.map((host) => host.kill()));
  await names?.close();
  hosts = [];
  names = undefined;
  await rm(folder, {recursive: true, force: true});
});

async function makeHost(options: Omit<EtcdHostOptions, 'folder'>): Promise<EtcdHost> {
  const host = await createEtcdHost({...options, folder});
  hosts.push(host);
  return host;
}

async function startAll(members: readonly EtcdHost[]): Promise<void> {
  for (const member of members) member.start();
  await Promise.all(members.map((member) => member.ready()));
}

/** All members run, by these names, and share what is put. */
async function assertCluster(members: readonly EtcdHost[]): Promise<void> {
  const [first] = members;
  assert.ok(first !== undefined);
  const listed = (await first.etcdctl('member', 'list')).trim().split('\n');
  assert.deepEqual(
    listed.map((line) => line.split(', ').slice(1, 3).join(' ')).sort(),
    members.map(({environment}) => `started ${environment.get('ETCD_NAME')}`).sort(),
  );
  for (const writer of members) {
    await writer.etcdctl('put', 'from', writer.address);
    for (const reader of members)
      assert.equal(await reader.etcdctl('get', '--print-value-only', 'from'), `${writer.address}\n`);
  }
}

/** etcd refuses while it has not seen its members healthy for some seconds: the hint of the manual is to try again. */
async function addMember(host: EtcdHost, name: string, peerUrl: string): Promise<string> {
  const until = performance.now() + ADD_DEADLINE_MS;
  for (;;) {
    try {
      return await host.etcdctl('member', 'add', name, `--peer-urls=${peerUrl}`);
    } catch (error) {
      if (performance.now() > until || !String(error).includes('unhealthy cluster')) throw error;
    }
    await sleep(ADD_EVERY_MS);
  }
}

const cloudConfig = (section: string, ...lines: string[]): string =>
  ['#cloud-config', 'coreos:', `  ${section}:`, ...lines.map((line) => `    ${line}`), ''].join('\n');

/** The files that docs/etcd.md has an operator write. */
async function documentedSettings(): Promise<Record<string, string>[]> {
  const text = await readFile(join(ROOT_DIR, 'docs/etcd.md'), 'utf8');
  return [...text.matchAll(/\/etc\/caisson\/etcd\.env <<'END'\n(ETCD_NAME=[^]*?)^END$/gm)].map(
    ([, body = '']) =>
      Object.fromEntries(
        body
          .trim()
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      ),
  );
}

describe('members that know each other', () => {
  it('become a cluster by the files of the manual', async () => {
    const files = await documentedSettings();
    assert.equal(files.length, 3);
    const addresses = loopbackAddresses(files.length);
    const network = (addresses[0] ?? '').replace(/\d+$/, '');
    const members: EtcdHost[] = [];
    for (const [index, file] of files.entries()) {
      const settings = Object.fromEntries(
        Object.entries(file).map(([key, value]) => [
          key,
          value.replaceAll('192.0.2.', network).replace(/,http:\/\/127\.0\.0\.1:2379$/, ''),
        ]),
      );
      members.push(await makeHost({address: addresses[index] ?? '', settings}));
    }
    await startAll(members);
    await assertCluster(members);
  });

  it('become a cluster by a cloud-config that has their names and leaves their addresses to the host', async () => {
    const addresses = loopbackAddresses(3);
    const cluster = addresses.map((address, index) => `node${index + 1}=http://${address}:2380`).join(',');
    const members: EtcdHost[] = [];
    for (const [index, address] of addresses.entries()) {
      const lines = [
        `name: node${index + 1}`,
        `initial-cluster: ${cluster}`,
        'initial-cluster-token: site-a',
      ];
      members.push(await makeHost({address, config: cloudConfig(index === 0 ? 'etcd2' : 'etcd3', ...lines)}));
    }
    await startAll(members);
    await assertCluster(members);
  });

  it('do not include a host of another name, which says so', async () => {
    const [address = ''] = loopbackAddresses(1);
    const host = await makeHost({
      address,
      config: cloudConfig('etcd2', 'name: node2', `initial-cluster: node1=http://${address}:2380`),
    });
    host.start();
    assert.equal(await host.ended(), 1);
    assert.match(host.journal, /couldn't find local name \\"node2\\" in the initial cluster configuration/);
  });
});

describe('members that DNS names', () => {
  const DOMAIN = 'cluster.test';

  async function startZone(addresses: readonly string[]): Promise<NameServer> {
    const zone: Zone = {
      hosts: Object.fromEntries(addresses.map((address, index) => [`node${index + 1}.${DOMAIN}`, address])),
      services: {
        [`_etcd-server._tcp.${DOMAIN}`]: addresses.map((_, index) => `node${index + 1}.${DOMAIN}:2380`),
      },
    };
    return (names = await startNameServer(zone));
  }

  it('become a cluster that calls itself by those names', async () => {
    const addresses = loopbackAddresses(3);
    const {within} = await startZone(addresses);
    const members: EtcdHost[] = [];
    for (const address of addresses)
      members.push(
        await makeHost({address, within, config: cloudConfig('etcd3', `discovery-srv: ${DOMAIN}`)}),
      );
    await startAll(members);
    await assertCluster(members);
    const listed = await members[0]?.etcdctl('member', 'list');
    for (const index of addresses.keys())
      assert.ok(listed?.includes(`http://node${index + 1}.${DOMAIN}:2380`));
  });

  it('do not include a host without a record, which says so', async () => {
    const [first = '', other = ''] = loopbackAddresses(2);
    const {within} = await startZone([first]);
    const host = await makeHost({
      address: other,
      within,
      config: cloudConfig('etcd3', `discovery-srv: ${DOMAIN}`),
    });
    host.start();
    assert.equal(await host.ended(), 1);
    assert.match(host.journal, /cannot find local etcd member .* in SRV records/);
  });

  it('are asked for in a domain that is not there: etcd says so and ends, so that its unit tries again', async () => {
    const [address = ''] = loopbackAddresses(1);
    const {within} = await startZone([address]);
    const host = await makeHost({address, within, config: cloudConfig('etcd3', 'discovery-srv: other.test')});
    host.start();
    assert.equal(await host.ended(), 1);
    assert.match(host.journal, /lookup _etcd-server/);
  });
});

describe('a new member', () => {
  it('takes the place of a lost one in a cluster that came from a discovery URL', async (t) => {
    const service = await startDiscovery();
    t.after(() => service.close());
    const token = await service.newToken(3);
    const config = cloudConfig('etcd', `discovery: ${token}`);
    const [a = '', b = '', c = '', d = ''] = loopbackAddresses(4);
    const members: EtcdHost[] = [];
    for (const address of [a, b, c]) members.push(await makeHost({address, config}));
    await startAll(members);
    const [one, two, lost] = members;
    assert.ok(one !== undefined && two !== undefined && lost !== undefined);
    await lost.kill();

    const listed = (await one.etcdctl('member', 'list')).split('\n');
    const id = listed.find((line) => line.includes(lost.machineId))?.split(',')[0] ?? '';
    await one.etcdctl('member', 'remove', id);
    const added = await addMember(one, 'node4', `http://${d}:2380`);
    const settings = Object.fromEntries(
      [...added.matchAll(/^(ETCD_[A-Z_]+)="(.*)"$/gm)].map(([, key = '', value = '']) => [key, value]),
    );
    assert.equal(settings['ETCD_INITIAL_CLUSTER_STATE'], 'existing');
    // The config of the host still has the URL; an empty variable takes it away.
    const host = await makeHost({address: d, config, settings: {...settings, ETCD_DISCOVERY: ''}});
    host.start();
    await host.ready();
    await assertCluster([one, two, host]);
  });
});
