/** One member of a cluster while it runs: a machine with two network cards, and how it is made a member over ssh. */
import {join} from 'node:path';
import {detectAcceleration} from '../acceleration.ts';
import {type BaseImage, createOverlay} from '../disk.ts';
import {QemuError} from '../errors.ts';
import {type Machine, startMachine} from '../machine.ts';
import type {SshClient, SshKey} from '../ssh.ts';
import {ETCD_CLIENT_PORT, memberFiles, setupScript} from './member-setup.ts';
import type {MemberPlan} from './plan.ts';

export const MEMBER_USER = 'core';
/** A boot takes 10 s with KVM and a minute in emulation; three at once on two processors that others use many. */
export const BOOT_DEADLINE_MS = 60 * 60_000;
const SETUP_DEADLINE_MS = 5 * 60_000;
const SETUP_ATTEMPTS = 5;
const SHOWN_LINES = 20;
const SSH_PORT = 22;

export interface MemberOptions {
  plan: MemberPlan;
  image: BaseImage;
  sectorBytes: 512 | 4096;
  diskBytes: number;
  memoryMiB: number;
  cpus: number;
  key: SshKey;
  /** For the disk and the console's log. */
  folder: string;
  /** Where the switch listens for this member. */
  switchSocket: string;
  signal: AbortSignal;
}

export interface Member {
  readonly plan: MemberPlan;
  readonly machine: Machine;
  readonly ssh: SshClient;
  /** etcd's address for clients, as this machine reaches it. */
  readonly etcdUrl: string;
  readonly consoleLog: string;
  /** A command as root; its standard output. Throws QemuError. */
  runAsRoot(command: readonly [string, ...string[]], stdin?: string): Promise<string>;
}

/**
 * Emulated processors that wait for each other and for others stand still for many seconds. What a boot concludes from
 * that, a timer that does not tick or a disk that is not there, would be wrong.
 */
const PATIENT_BOOT = ['no_timer_check', 'systemd.default_device_timeout_sec=1800'];

/** Starts the machine with its processors stopped; `waitForBoot` lets them go. Throws QemuError, ExecError. */
export async function startMember(options: MemberOptions): Promise<Member> {
  const {plan, folder, signal} = options;
  const disk = join(folder, `${plan.name}.qcow2`);
  const consoleLog = join(folder, `${plan.name}.log`);
  await createOverlay(disk, options.image, options.diskBytes);
  const {accelerator} = await detectAcceleration();
  const machine = await startMachine({
    name: plan.name,
    accelerator,
    paused: true,
    kernelArguments: accelerator === 'tcg' ? PATIENT_BOOT : [],
    memoryMiB: options.memoryMiB,
    cpus: options.cpus,
    watchdog: true,
    disks: [{path: disk, format: 'qcow2', sectorBytes: options.sectorBytes, cache: 'unsafe'}],
    networks: [
      {
        kind: 'user',
        hostname: plan.name,
        forwards: [
          {hostPort: 0, guestPort: SSH_PORT},
          {hostPort: 0, guestPort: ETCD_CLIENT_PORT},
        ],
      },
      {kind: 'socket', path: options.switchSocket, mac: plan.mac},
    ],
    credentials: {'caisson.ssh-authorized-keys': `${options.key.publicKey}\n`},
    consoleLog,
    signal,
  });
  const ssh = machine.ssh(MEMBER_USER, options.key.identityFile);
  return {
    plan,
    machine,
    ssh,
    consoleLog,
    etcdUrl: `http://127.0.0.1:${machine.hostPort(ETCD_CLIENT_PORT)}`,
    runAsRoot: (command, stdin) =>
      ssh.output(['sudo', '-n', ...command], {
        deadlineMs: SETUP_DEADLINE_MS,
        signal,
        ...(stdin === undefined ? {} : {stdin}),
      }),
  };
}

/** Lets the machine go and waits for its boot. Throws QemuError `timed-out` with the end of the console. */
export async function waitForBoot({plan, ssh, machine}: Member, signal: AbortSignal): Promise<void> {
  await machine.qmp.execute('cont');
  try {
    await ssh.waitUntilUp({deadlineMs: BOOT_DEADLINE_MS, signal});
  } catch (error) {
    signal.throwIfAborted();
    const shown = machine.console.lastLines(SHOWN_LINES);
    throw new QemuError('timed-out', `${plan.name} did not come up; its console ends:\n${shown}`, {
      cause: error,
    });
  }
}

/**
 * Writes the member's files and starts etcd, which is ready when a majority of the members is. Tried again when it
 * fails: a host that still boots lets questions to its services time out. Throws QemuError.
 */
export async function configureMember(
  member: Pick<Member, 'plan' | 'ssh' | 'runAsRoot'>,
  members: readonly MemberPlan[],
  updateSettings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const files = memberFiles({self: member.plan, members, updateSettings});
  const script = [
    setupScript(files),
    // Not hostnamectl: that starts a service, and waits for it only so long.
    'cat /etc/hostname > /proc/sys/kernel/hostname\n',
    'networkctl reload\n',
    'systemctl enable --quiet etcd.service\n',
    'systemctl start --no-block etcd.service\n',
  ].join('');
  for (let left = SETUP_ATTEMPTS - 1; ; left -= 1) {
    try {
      await member.runAsRoot(['sh', '-e', '-s'], script);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (left === 0) throw error;
      await member.ssh.disconnect();
    }
  }
}
