/**
 * Two hosts on the switch of clusters: frames pass, links are cut and joined, and etcd finds its majority. Both continue
 * from one saved guest, so the test costs no boot of its own; whole clusters are in test/vm-long/.
 */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {MachineOptions} from '../../qemu/machine.ts';
import {configureMember, type Member} from '../../qemu/cluster/member.ts';
import {ETCD_CLIENT_PORT} from '../../qemu/cluster/member-setup.ts';
import {type MemberPlan, planMembers} from '../../qemu/cluster/plan.ts';
import {EthernetSwitch} from '../../qemu/cluster/switch.ts';
import {createRuntimeFolder} from '../../qemu/runtime-folder.ts';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';

const image = releaseImage();
/** Restored guests are alike to the last bit, the address of this card included. */
const SAVED_MAC = '52:54:00:ca:77:00';
const LONG = {deadlineMs: 300_000};
/** A ping that nobody answers is given up after this. */
const PATIENCE_SECONDS = 20;

function networksOf(path: string): MachineOptions['networks'] {
  return [
    {kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]},
    {kind: 'socket', path, mac: SAVED_MAC},
  ];
}

/** What makes the restored guest this member: a card of its own address first, then its files. */
async function join(
  guest: Guest,
  plan: MemberPlan,
  members: readonly MemberPlan[],
  signal: AbortSignal,
): Promise<void> {
  await guest.runAsRoot([
    ...(['sh', '-e', '-c'] as const),
    'card=$(basename "$(dirname "$(grep -l "$0" /sys/class/net/*/address)")"); ip link set dev "$card" address "$1"',
    ...[SAVED_MAC, plan.mac],
  ]);
  const member: Pick<Member, 'plan' | 'ssh' | 'runAsRoot'> = {
    plan,
    ssh: guest.ssh,
    runAsRoot: (command, stdin) =>
      guest.runAsRoot(command, {...LONG, signal, ...(stdin === undefined ? {} : {stdin})}),
  };
  await configureMember(member, members, {SERVER: 'disabled', REBOOT_STRATEGY: 'off'}, signal);
}

async function canReach(guest: Guest, address: string, seconds = PATIENCE_SECONDS): Promise<boolean> {
  const deadline = ['-c', '1', '-w', String(seconds)];
  return (await guest.ssh.run(['sudo', '-n', 'ping', '-q', ...deadline, address], LONG)).exitCode === 0;
}

describe('two hosts on the switch', () => {
  it('reach each other until the link is cut, and again when it is joined', async (t) => {
    const folder = await createRuntimeFolder();
    const faults: string[] = [];
    const network = new EthernetSwitch({
      folder: folder.path,
      now: () => performance.now(),
      onFault: (name, error) => faults.push(`${name}: ${error.message}`),
    });
    t.after(async () => {
      await network.close();
      await folder.remove();
    });
    const members = planMembers(2);
    const [one, two] = members;
    assert.ok(one !== undefined && two !== undefined);
    const [first, second] = [await network.addJack(one.name), await network.addJack(two.name)];
    await withSharedGuest(t, {image, networks: networksOf(first)}, async (a) =>
      withSharedGuest(t, {image, networks: networksOf(second)}, async (b) => {
        await Promise.all([join(a, one, members, t.signal), join(b, two, members, t.signal)]);
        const [fromA, fromB] = await Promise.all([canReach(a, two.address), canReach(b, one.address)]);
        assert.deepEqual([fromA, fromB], [true, true]);

        const etcdctl = (guest: Guest, ...words: string[]) =>
          guest.ssh.run(['etcdctl', '--dial-timeout=60s', '--command-timeout=60s', ...words], LONG);
        assert.equal((await etcdctl(a, 'put', 'greeting', 'hello')).stdout, 'OK\n');
        assert.equal((await etcdctl(b, 'get', '--print-value-only', 'greeting')).stdout, 'hello\n');
        const listed = await etcdctl(b, 'member', 'list');
        assert.match(listed.stdout, new RegExp(`node1, .*http://${one.address}:${ETCD_CLIENT_PORT}`));

        network.cut(two.name);
        assert.equal(await canReach(a, two.address, 5), false);
        // One of two is no majority.
        assert.notEqual((await etcdctl(a, '--command-timeout=5s', 'put', 'greeting', 'alone')).exitCode, 0);

        network.join(two.name);
        assert.equal(await canReach(a, two.address), true);
        assert.equal((await etcdctl(b, 'put', 'greeting', 'together')).stdout, 'OK\n');
        const state = network.state(two.name);
        t.diagnostic(`frames from the second host: ${state.received}, to it: ${state.sent}`);
        assert.deepEqual([state.dropped, faults], [0, []]);
      }),
    );
  });
});
