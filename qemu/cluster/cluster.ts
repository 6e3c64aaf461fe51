/**
 * A cluster of machines on one switch, owned by this process: when it ends, however that happens, so do they.
 */
import {mkdir} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import type {BaseImage} from '../disk.ts';
import {createRuntimeFolder} from '../runtime-folder.ts';
import {createSshKey} from '../ssh.ts';
import {configureMember, type Member, startMember, waitForBoot} from './member.ts';
import {planMembers} from './plan.ts';
import {EthernetSwitch} from './switch.ts';

/**
 * A host with containerd, docker, etcd and the update engine takes 290 MiB; the rest is for its initrd, and for the page
 * cache while it unpacks an update.
 */
export const DEFAULT_MEMORY_MIB = 768;
export const DEFAULT_MEMBERS = 3;

export interface ClusterOptions {
  members: number;
  image: BaseImage;
  sectorBytes: 512 | 4096;
  diskBytes: number;
  memoryMiB: number;
  /** Of each member. */
  cpus: number;
  /** Lines of each member's /etc/caisson/update.conf. */
  updateSettings: Readonly<Record<string, string>>;
  /** For disks, the key and the consoles' logs; made when missing. */
  folder: string;
  signal: AbortSignal;
  /** Hears what happens, a sentence each. */
  say: (text: string) => void;
}

export interface Cluster {
  readonly members: readonly Member[];
  readonly network: EthernetSwitch;
  readonly identityFile: string;
}

/** Starts the machines, hands them over before they have booted, and cuts their power in the end. */
export async function withCluster<T>(
  options: ClusterOptions,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const {folder, signal, say} = options;
  const plans = planMembers(options.members);
  await mkdir(folder, {recursive: true});
  const key = await createSshKey(folder);
  const sockets = await createRuntimeFolder();
  const network = new EthernetSwitch({
    folder: sockets.path,
    now: () => performance.now(),
    onFault: (name, error) => say(`${name} was unplugged from the network: ${error.message}`),
  });
  const members: Member[] = [];
  try {
    for (const plan of plans) {
      const switchSocket = await network.addJack(plan.name);
      members.push(await startMember({...options, plan, key, folder, switchSocket, signal}));
    }
    return await use({members, network, identityFile: key.identityFile});
  } finally {
    await Promise.all(members.map(({machine}) => machine.kill()));
    await network.close();
    await sockets.remove();
  }
}

/**
 * Boots all machines, makes members of them, and starts etcd everywhere. Emulated machines boot one after the other, as
 * many at a time as this host has processors for: together they would not be faster, but so slow that their own
 * deadlines pass.
 */
export async function bootCluster(
  {members}: Cluster,
  {updateSettings, signal, say}: Pick<ClusterOptions, 'updateSettings' | 'signal' | 'say'>,
): Promise<void> {
  const plans = members.map(({plan}) => plan);
  const waiting = [...members];
  async function bootNext(): Promise<void> {
    for (let member = waiting.shift(); member !== undefined; member = waiting.shift()) {
      say(`${member.plan.name} boots`);
      await waitForBoot(member, signal);
      say(`${member.plan.name} has booted`);
      await configureMember(member, plans, updateSettings, signal);
      say(`${member.plan.name} is configured: ${member.plan.address}, etcd starts`);
    }
  }
  await Promise.all(Array.from({length: bootsAtOnce(members)}, bootNext));
}

function bootsAtOnce(members: readonly Member[]): number {
  const [first] = members;
  if (first === undefined || first.machine.spec.accelerator === 'kvm') return members.length;
  return Math.max(1, Math.floor(availableParallelism() / first.machine.spec.cpus));
}
