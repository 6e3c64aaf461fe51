/** The machine that benchmarks watch: the newest release on a disk of its own. */
import {join} from 'node:path';
import {DEFAULT_OUT_DIR} from '../cli/paths.ts';
import {findRelease} from '../cli/releases.ts';
import {createOverlay} from '../qemu/disk.ts';
import {type Machine, startMachine} from '../qemu/machine.ts';
import {type SshClient, createSshKey} from '../qemu/ssh.ts';

/** For every wait for something that a machine does. */
export const DEADLINE = {deadlineMs: 600_000};

/** Kills the machine after `use`. */
export async function withBenchMachine<T>(
  workDir: string,
  use: (machine: Machine, ssh: SshClient) => Promise<T>,
): Promise<T> {
  const {directory} = await findRelease(DEFAULT_OUT_DIR, undefined);
  const disk = join(workDir, 'bench.qcow2');
  await createOverlay(disk, {path: join(directory, 'disk.raw'), format: 'raw'}, 8 * 2 ** 30);
  const key = await createSshKey(workDir);
  const machine = await startMachine({
    name: 'bench',
    disks: [{path: disk, format: 'qcow2', cache: 'unsafe'}],
    networks: [{kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]}],
    credentials: {'caisson.ssh-authorized-keys': `${key.publicKey}\n`},
  });
  try {
    return await use(machine, machine.ssh('core', key.identityFile));
  } finally {
    await machine.kill();
  }
}
