/** The host of the demo: a machine in QEMU that is asked over ssh, as an operator would. */
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {createOverlay} from '../../qemu/disk.ts';
import {type Machine, startMachine} from '../../qemu/machine.ts';
import {type SshClient, createSshKey} from '../../qemu/ssh.ts';
import {type Status, statusSchema} from '../../update-engine/api/status.ts';

/** A boot takes 10 s with KVM and a minute without, on a busy machine several. */
export const BOOT_DEADLINE_MS = 15 * 60_000;
const ASK_DEADLINE_MS = 120_000;
const ASK_EVERY_MS = 2_000;
const DISK_BYTES = 16 * 2 ** 30;
/** The machine that starts the guest, as the guest sees it. */
const HOST_ADDRESS = '10.0.2.2';

export interface DemoHost {
  readonly machine: Machine;
  readonly ssh: SshClient;
  run(script: string): Promise<string>;
  status(): Promise<Status>;
  /** Asks again and again until the answer fits. The host may be away between two boots. */
  statusUntil(fits: (status: Status) => boolean, signal?: AbortSignal): Promise<Status>;
}

export interface DemoHostOptions {
  /** Of the first release. */
  image: string;
  /** For the disk, the key and the console's log. */
  folder: string;
  memoryMiB: number;
  signal: AbortSignal;
}

/** Boots the image and hands the host over; cuts its power in the end. */
export async function withDemoHost<T>(
  {image, folder, memoryMiB, signal}: DemoHostOptions,
  use: (host: DemoHost) => Promise<T>,
): Promise<T> {
  const disk = join(folder, 'host.qcow2');
  await createOverlay(disk, {path: image, format: 'qcow2'}, DISK_BYTES);
  const key = await createSshKey(folder);
  const machine = await startMachine({
    name: 'demo',
    memoryMiB,
    watchdog: true,
    disks: [{path: disk, format: 'qcow2', cache: 'unsafe'}],
    networks: [{kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]}],
    credentials: {'caisson.ssh-authorized-keys': `${key.publicKey}\n`},
    consoleLog: join(folder, 'console.log'),
    signal,
  });
  try {
    const ssh = machine.ssh('core', key.identityFile);
    await ssh.waitUntilUp({deadlineMs: BOOT_DEADLINE_MS, signal});
    return await use(hostOf(machine, ssh, signal));
  } finally {
    await machine.kill();
  }
}

/** The address under which the guest reaches a server on this machine's loopback. */
export function addressForGuest(url: string): string {
  return url.replace('127.0.0.1', HOST_ADDRESS);
}

function hostOf(machine: Machine, ssh: SshClient, signal: AbortSignal): DemoHost {
  const run = (script: string): Promise<string> =>
    ssh.output(['sh', '-c', script], {deadlineMs: ASK_DEADLINE_MS, signal});
  async function status(): Promise<Status> {
    return statusSchema.parse(JSON.parse(await run('caissonctl status --json')));
  }
  return {
    machine,
    ssh,
    run,
    status,
    async statusUntil(fits, stopped = signal) {
      const until = performance.now() + 2 * BOOT_DEADLINE_MS;
      for (;;) {
        stopped.throwIfAborted();
        const now = await status().catch((error: unknown) => {
          if (performance.now() > until) throw error;
          return null;
        });
        if (now !== null && fits(now)) return now;
        await sleep(ASK_EVERY_MS, undefined, {signal: stopped});
      }
    },
  };
}
