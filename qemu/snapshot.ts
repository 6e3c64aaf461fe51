/**
 * Saves a running guest once, so that any number of machines can continue from that moment.
 *
 * A saved guest is a folder: the state of memory and devices (QEMU's migration stream), the disks frozen at the same
 * moment, and a fingerprint of the machine. Each restored machine writes to its own overlays over the frozen disks,
 * so restores run side by side and leave no trace. The firmware's variables travel within the state.
 *
 * Why not `savevm`: its snapshots live inside one qcow2 file, which one machine at a time may open for writing, and
 * raw firmware variables have no place in it. Why a socket and not `exec:`: that takes a line for a shell.
 *
 * A restored guest is a copy: machine id, ssh host keys and random seeds are those of every other restore, and its
 * clock stands at the moment of saving until `correctClock`.
 */
import {createHash} from 'node:crypto';
import {mkdir, readFile, rename} from 'node:fs/promises';
import {join} from 'node:path';
import {writeFileAtomic} from '../platform/files.ts';
import {qemuArguments} from './arguments.ts';
import type {Deadline} from './deadline.ts';
import {createOverlay} from './disk.ts';
import {QemuError} from './errors.ts';
import {type Machine, type MachineOptions, startMachine} from './machine.ts';
import type {MachineSpec} from './machine-spec.ts';
import {loadState, saveState} from './migration.ts';
import type {SshClient} from './ssh.ts';

/** Written last: a folder without it is no saved guest. */
const FINGERPRINT_FILE = 'fingerprint';

/**
 * Saves a machine into an empty or missing folder and ends it. Its writable disks, which must be qcow2 and on the
 * folder's file system, are moved there. Throws QemuError `bad-snapshot` or `timed-out`.
 */
export async function saveMachine(machine: Machine, folder: string, options: Deadline): Promise<void> {
  const disks = writableDisks(machine.spec);
  await mkdir(folder, {recursive: true});
  await saveState(machine, join(folder, 'state'), options);
  await machine.kill();
  for (const {index, disk} of disks) await rename(disk.path, frozenDisk(folder, index));
  await writeFileAtomic(join(folder, FINGERPRINT_FILE), fingerprint(machine));
}

/** Whether the folder holds a guest that `restoreMachine` could restore. */
export async function isSavedMachine(folder: string): Promise<boolean> {
  return (await savedFingerprint(folder)) !== undefined;
}

/**
 * Starts a machine that continues where the saved one was. The options are those it was saved with; paths, forwards,
 * credentials and kernel arguments may differ (the guest has read the latter two already). Overlays are made at the
 * paths of the writable disks. Throws QemuError `bad-snapshot` when the machine is another than was saved.
 */
export async function restoreMachine(
  folder: string,
  machineOptions: MachineOptions,
  options: Deadline,
): Promise<Machine> {
  const expected = await savedFingerprint(folder);
  if (expected === undefined) throw new QemuError('bad-snapshot', `${folder} holds no saved guest`);
  for (const {index, disk} of writableDisks(machineOptions)) {
    await createOverlay(disk.path, {path: frozenDisk(folder, index), format: 'qcow2'});
  }
  const machine = await startMachine({...machineOptions, incoming: true});
  try {
    const found = fingerprint(machine);
    if (found !== expected) {
      throw new QemuError(
        'bad-snapshot',
        `${folder} was saved from another machine or QEMU: expected ${expected}, got ${found}`,
      );
    }
    await loadState(machine, join(folder, 'state'), options);
    await machine.qmp.execute('cont');
    return machine;
  } catch (error) {
    await machine.kill();
    throw error;
  }
}

/** Sets a restored guest's clock to ours. The user must be root or may use sudo without a password. */
export async function correctClock(ssh: SshClient, nowMs: number = Date.now()): Promise<void> {
  const script = '[ "$(id -u)" = 0 ] || exec sudo -n date -u -s "$0"; exec date -u -s "$0"';
  await ssh.output(['sh', '-c', script, `@${(nowMs / 1000).toFixed(3)}`]);
}

function writableDisks(spec: Pick<MachineSpec, 'disks' | 'name'>) {
  const disks = spec.disks.map((disk, index) => ({disk, index})).filter(({disk}) => disk.readOnly !== true);
  const raw = disks.find(({disk}) => disk.format !== 'qcow2');
  if (raw !== undefined) {
    throw new QemuError(
      'bad-snapshot',
      `machine ${spec.name} writes to ${raw.disk.path}, which is not qcow2; only overlays can be saved`,
    );
  }
  return disks;
}

function frozenDisk(folder: string, index: number): string {
  return join(folder, `disk${index}.qcow2`);
}

async function savedFingerprint(folder: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, FINGERPRINT_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Everything about a machine that the guest could notice if it changed between saving and restoring. */
function fingerprint(machine: Machine): string {
  const {spec} = machine;
  const sameForAll: MachineSpec = {
    ...spec,
    firmware: {...spec.firmware, vars: 'vars'},
    disks: spec.disks.map((disk) => ({...disk, path: 'disk'})),
    networks: spec.networks.map((network) =>
      network.kind === 'user' ? {...network, forwards: []} : {...network, path: 'switch'},
    ),
    credentials: {},
    kernelArguments: [],
    qmpSocket: 'qmp',
    incoming: false,
  };
  return createHash('sha256')
    .update(JSON.stringify([machine.qmp.version, qemuArguments(sameForAll)]))
    .digest('hex');
}
