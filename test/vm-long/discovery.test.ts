/**
 * Three hosts that have the cloud-config of an operator of 2014 and nothing else, but for what a network of their own
 * takes, become a cluster of etcd through the real discovery service.
 */
import assert from 'node:assert/strict';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it, type TestContext} from 'node:test';
import {type MemberPlan, NETWORK_PREFIX_BITS, planMembers} from '../../qemu/cluster/plan.ts';
import {EthernetSwitch} from '../../qemu/cluster/switch.ts';
import {detectAcceleration} from '../../qemu/acceleration.ts';
import {createOverlay} from '../../qemu/disk.ts';
import {startMachine} from '../../qemu/machine.ts';
import {createRuntimeFolder} from '../../qemu/runtime-folder.ts';
import {createSshKey, type SshKey} from '../../qemu/ssh.ts';
import {CLASSIC} from '../fixtures/cloud-configs.ts';
import {startDiscovery} from '../support/discovery-service.ts';
import {startGithub} from '../support/github-keys.ts';
import {Guest} from '../vm/support/guest.ts';
import {releaseImage} from '../vm/support/paths.ts';
import {BOOT_DEADLINE_MS, keepingJournal, withTestFolder} from '../vm/support/with-machine.ts';

const HOSTS = 3;
const MEMORY_MIB = 1024;
const LONG = {deadlineMs: 300_000};
/** etcd asks a discovery service that was away again after at most 256 s. */
const CLUSTER_DEADLINE_MS = 15 * 60_000;
/** This machine, as a guest on QEMU's user network sees it. */
const THIS_MACHINE = '10.0.2.2';
/** See qemu/cluster/member.ts and member-setup.ts: emulated machines stand still for seconds. */
const PATIENT_BOOT = ['no_timer_check', 'systemd.default_device_timeout_sec=1800'];
const PATIENT_ETCD = 'ETCD_HEARTBEAT_INTERVAL=1000\\nETCD_ELECTION_TIMEOUT=10000\\n';

interface Stage {
  readonly folder: string;
  readonly key: SshKey;
  readonly config: string;
  readonly githubApi: string;
  readonly network: EthernetSwitch;
}

/**
 * What a platform gives a host besides its config: the address on the network of the hosts, which is the one meant by
 * "private", because all have the same on QEMU's.
 */
function networkCredentials({mac, address}: MemberPlan, isEmulated: boolean): Record<string, string> {
  const card = [
    `[Match]\\nMACAddress=${mac}\\n`,
    `[Network]\\nAddress=${address}/${NETWORK_PREFIX_BITS}\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n`,
  ];
  return {
    'tmpfiles.extra': [
      `f+ /etc/systemd/network/10-cluster.network 0644 root root - ${card.join('')}`,
      `f+ /etc/environment 0644 root root - COREOS_PRIVATE_IPV4=${address}\\n`,
      ...(isEmulated ? [`f+ /etc/caisson/etcd.env 0644 root root - ${PATIENT_ETCD}`] : []),
      '',
    ].join('\n'),
    'systemd.unit-dropin.systemd-networkd.service': '[Unit]\nAfter=systemd-tmpfiles-setup.service\n',
  };
}

/** Starts the host with its processors stopped, and lets them go when `boot` is called. */
async function startHost(t: TestContext, {folder, key, config, githubApi, network}: Stage, plan: MemberPlan) {
  const disk = join(folder, `${plan.name}.qcow2`);
  await createOverlay(disk, releaseImage(), 8 * 2 ** 30);
  const {accelerator} = await detectAcceleration();
  const isEmulated = accelerator === 'tcg';
  const machine = await startMachine({
    name: plan.name,
    accelerator,
    paused: true,
    memoryMiB: MEMORY_MIB,
    cpus: 1,
    disks: [{path: disk, format: 'qcow2', cache: 'unsafe'}],
    networks: [
      {kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]},
      {kind: 'socket', path: await network.addJack(plan.name), mac: plan.mac},
    ],
    credentials: networkCredentials(plan, isEmulated),
    firmwareConfig: {'opt/com.coreos/config': config},
    kernelArguments: [`caisson.github-api=${githubApi}`, ...(isEmulated ? PATIENT_BOOT : [])],
    consoleLog: join(folder, `${plan.name}.log`),
    signal: t.signal,
  });
  t.after(() => machine.kill());
  const guest = new Guest(machine, machine.ssh('core', key.identityFile));
  return {
    plan,
    guest,
    /** Resolves when core can log in: with the key that the config has from GitHub, for the host knows no other. */
    async boot(): Promise<void> {
      await machine.qmp.execute('cont');
      await guest.ssh.waitUntilUp({deadlineMs: 2 * BOOT_DEADLINE_MS, signal: t.signal});
      t.diagnostic(`${plan.name} lets core in`);
    },
  };
}

async function show(guest: Guest, property: string): Promise<string> {
  return (
    await guest.run(['systemctl', 'show', '--value', `--property=${property}`, 'etcd.service'], LONG)
  ).trim();
}

/** Until etcd has said in its journal what fits. */
async function etcdSays(guest: Guest, pattern: string, signal: AbortSignal): Promise<void> {
  const script =
    'until journalctl --boot --unit etcd.service --output=cat | grep -q -- "$0"; do sleep 2; done';
  await guest.runAsRoot(['sh', '-c', script, pattern], {deadlineMs: CLUSTER_DEADLINE_MS, signal});
}

/** Until the checks of the boot have passed. It is not finished as long as etcd has not started. */
async function untilGood(guest: Guest, signal: AbortSignal): Promise<void> {
  const script = 'until systemctl --quiet is-active boot-complete.target; do sleep 2; done';
  await guest.run(['sh', '-c', script], {deadlineMs: BOOT_DEADLINE_MS, signal});
}

const etcdctl = (guest: Guest, ...words: string[]): Promise<string> =>
  guest.run(['etcdctl', '--dial-timeout=60s', '--command-timeout=60s', ...words], LONG);

describe('the cloud-config of 2014 on three hosts', () => {
  it('lets core in by the imported key and makes them a cluster through discovery', async (t) => {
    await withTestFolder(t, async (folder, consoleLog) => {
      const key = await createSshKey(folder);
      const github = await startGithub('philips', key.publicKey);
      t.after(() => github.stop());
      const service = await startDiscovery({hostForMembers: THIS_MACHINE});
      t.after(() => service.close());
      const sockets = await createRuntimeFolder();
      const network = new EthernetSwitch({
        folder: sockets.path,
        now: () => performance.now(),
        onFault: (name, error) => t.diagnostic(`${name}: ${error.message}`),
      });
      t.after(async () => {
        await network.close();
        await sockets.remove();
      });
      const token = await service.newToken();
      const config = join(folder, 'user-data');
      await writeFile(config, CLASSIC.replace('https://discovery.etcd.io/ba09c', token));
      const stage: Stage = {
        ...{folder, key, config, network},
        githubApi: `http://${THIS_MACHINE}:${github.port}`,
      };

      // The first comes up while the service is away: people can log in, the boot is good, etcd goes on asking.
      await service.stop();
      const [first, ...others] = planMembers(HOSTS);
      assert.ok(first !== undefined);
      const one = await startHost(t, stage, first);
      const hosts = [one];
      await one.boot();
      await keepingJournal(one.guest, consoleLog, async () => {
        await etcdSays(one.guest, 'failed to get from discovery server', t.signal);
        await untilGood(one.guest, t.signal);
        assert.equal(await show(one.guest, 'ActiveState'), 'activating');
        assert.equal(await show(one.guest, 'TimeoutStartUSec'), 'infinity');

        // It registers, and is restarted before the others are there: it has not lost its place.
        await service.start();
        await etcdSays(one.guest, 'found peers from discovery server; waiting for more', t.signal);
        await one.guest.runAsRoot(['systemctl', 'restart', '--no-block', 'etcd.service'], LONG);
        await etcdSays(one.guest, 'this host registered before at .*; 1 of 3 members are there', t.signal);
        for (const plan of others) {
          const host = await startHost(t, stage, plan);
          hosts.push(host);
          await host.boot();
        }
        for (const {guest} of hosts) await etcdSays(guest, 'ready to serve client requests', t.signal);

        const machineIds: string[] = [];
        for (const {guest} of hosts)
          machineIds.push((await guest.run(['cat', '/etc/machine-id'], LONG)).trim());
        for (const {guest} of hosts) {
          const listed = (await etcdctl(guest, 'member', 'list')).trim().split('\n');
          assert.deepEqual(
            listed.map((line) => line.split(', ').slice(1, 4).join(' ')).sort(),
            hosts.map(({plan}, index) => `started ${machineIds[index]} http://${plan.address}:2380`).sort(),
          );
        }
        for (const [index, {guest, plan}] of hosts.entries()) {
          await etcdctl(guest, 'put', 'greeting', plan.name);
          const reader = hosts[(index + 1) % HOSTS]?.guest;
          assert.ok(reader !== undefined);
          assert.equal(await etcdctl(reader, 'get', '--print-value-only', 'greeting'), `${plan.name}\n`);
        }

        // A member that restarts finds the others without the service.
        await service.stop();
        const last = hosts.at(-1)?.guest;
        assert.ok(last !== undefined);
        await last.reboot({deadlineMs: 2 * BOOT_DEADLINE_MS, signal: t.signal});
        await etcdSays(last, 'ready to serve client requests', t.signal);
        assert.equal(await etcdctl(last, 'get', '--print-value-only', 'greeting'), `node${HOSTS}\n`);
      });
    });
  });
});
