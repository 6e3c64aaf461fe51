/**
 * One machine that a person works with: its console is the terminal, its disk is thrown away at the end unless a file
 * for it is named, and ssh reaches it under a key that belongs to this checkout. Here are key, note and disk;
 * terminal-machine.ts runs it.
 */
import {mkdir, mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {pathExists, writeFileAtomic} from '../platform/files.ts';
import {type Acceleration, detectAcceleration} from './acceleration.ts';
import {createCopy, createEmptyDisk, createOverlay} from './disk.ts';
import {type NetBoot, type NetBootOptions, offerNetBoot} from './net-boot.ts';
import {createSshKey, type SshKey} from './ssh.ts';
import {runInTerminal} from './terminal-machine.ts';

export interface SessionOptions {
  /** Where the key, the note about the running machine and a disk without a file of its own lie. */
  folder: string;
  /** Raw image of the release, which is only read; null for a machine without a disk of the release. */
  image: string | null;
  /** Starts over the network. A disk of its own, empty at first, such a machine has only with `diskFile`. */
  netBoot?: Pick<NetBootOptions, 'kind' | 'release' | 'file'> | undefined;
  sectorBytes: 512 | 4096;
  /** Keeps what the machine writes; a copy of the image, made on first use. */
  diskFile: string | undefined;
  diskBytes: number;
  memoryMiB: number;
  cpus: number;
  /** Port of 127.0.0.1 that leads to the guest's ssh; 0 takes any free one. */
  sshPort: number;
  user: string;
  /** Further ports, for example 8080 to 80. */
  forwards: readonly {hostPort: number; guestPort: number}[];
  /** Words added to the kernel command line. */
  kernelArguments: readonly string[];
  /** Files that the guest finds under these names in QEMU's firmware configuration device. */
  firmwareConfig?: Readonly<Record<string, string>>;
  /** Shown after the login on the console. */
  welcome: string;
  /** Ends the machine when aborted. */
  signal: AbortSignal;
  /** Called before the guest runs: the last chance to print. */
  onStart: (session: Session) => void;
}

/** What `caisson ssh` needs to know of the running machine. */
export interface SessionNote {
  /** Process that runs the machine. */
  pid: number;
  port: number;
  user: string;
  identityFile: string;
}

export interface Session extends SessionNote {
  acceleration: Acceleration;
}

const NOTE_FILE = 'machine.json';
const SSH_PORT = 22;

/**
 * Runs a machine in this terminal until it ends, and returns QEMU's exit code. Throws QemuError, ExecError, and the
 * signal's reason.
 */
export async function runSession(options: SessionOptions): Promise<number> {
  const {folder, diskFile, signal} = options;
  await mkdir(folder, {recursive: true});
  await removeAbandoned(folder);
  const key = await ensureKey(folder);
  const own = await mkdtemp(join(folder, `run-${process.pid}-`));
  const noteFile = join(folder, NOTE_FILE);
  let netBoot: NetBoot | undefined;
  try {
    const forwards = [{hostPort: options.sshPort, guestPort: SSH_PORT}, ...options.forwards];
    if (options.netBoot !== undefined) {
      const {kernelArguments} = options;
      netBoot = await offerNetBoot({...options.netBoot, kernelArguments, folder: own, forwards});
    }
    const disk = await prepareDisk(options, own);
    const acceleration = await detectAcceleration();
    const end = await runInTerminal({
      name: 'caisson',
      accelerator: acceleration.accelerator,
      memoryMiB: options.memoryMiB,
      cpus: options.cpus,
      ...varsOf(diskFile, netBoot),
      disks:
        disk === null
          ? []
          : [
              {
                path: disk,
                format: 'qcow2',
                sectorBytes: options.sectorBytes,
                cache: diskFile === undefined ? 'unsafe' : 'writeback',
              },
            ],
      networks: [netBoot?.network ?? {kind: 'user', forwards}],
      watchdog: true,
      credentials: {
        'caisson.ssh-authorized-keys': `${key.publicKey}\n`,
        // Whoever sits at this terminal started the machine; a password would protect nothing.
        'agetty.autologin': options.user,
        'login.noauth': 'yes',
        // The firmware clears the screen, so what was printed before is repeated after the login.
        'login.motd': options.welcome,
      },
      // iPXE has them in its script.
      kernelArguments: options.netBoot?.kind === 'ipxe' ? [] : options.kernelArguments,
      firmwareConfig: options.firmwareConfig ?? {},
      signal,
      async onStart(hostPorts) {
        const note: SessionNote = {
          pid: process.pid,
          port: hostPorts.get(SSH_PORT) ?? options.sshPort,
          user: options.user,
          identityFile: key.identityFile,
        };
        await writeFileAtomic(noteFile, JSON.stringify(note));
        options.onStart({...note, acceleration});
      },
    });
    signal.throwIfAborted();
    return end.exitCode ?? 1;
  } finally {
    await netBoot?.close();
    await rm(own, {recursive: true, force: true});
    // A machine that was started later has left its own.
    if ((await readSessionNote(folder))?.pid === process.pid) await rm(noteFile, {force: true});
  }
}

function varsOf(diskFile: string | undefined, netBoot: NetBoot | undefined): {varsFile?: string} {
  if (netBoot?.varsFile !== undefined) return {varsFile: netBoot.varsFile};
  return diskFile === undefined ? {} : {varsFile: `${diskFile}.vars`};
}

async function prepareDisk(
  {image, diskFile, diskBytes}: SessionOptions,
  own: string,
): Promise<string | null> {
  if (image === null) {
    if (diskFile !== undefined && !(await pathExists(diskFile)))
      await createEmptyDisk(diskFile, 'qcow2', diskBytes);
    return diskFile ?? null;
  }
  const source = {path: image, format: 'raw'} as const;
  const disk = diskFile ?? join(own, 'disk.qcow2');
  if (diskFile === undefined) await createOverlay(disk, source, diskBytes);
  else if (!(await pathExists(disk))) await createCopy(disk, source, diskBytes);
  return disk;
}

/** What runs left behind that were killed before they could clean up: the disks of their machines, in `run-PID-...`. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, pid] = /^run-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || (await pathExists(`/proc/${pid}`))) continue;
    await rm(join(folder, name), {recursive: true, force: true});
  }
}

/** The machine that runs now, if one does; a note that a killed process left behind is none. */
export async function readSessionNote(folder: string): Promise<SessionNote | undefined> {
  const file = join(folder, NOTE_FILE);
  if (!(await pathExists(file))) return undefined;
  const note = JSON.parse(await readFile(file, 'utf8')) as SessionNote;
  return (await pathExists(`/proc/${note.pid}`)) ? note : undefined;
}

async function ensureKey(folder: string): Promise<SshKey> {
  const identityFile = join(folder, 'id_ed25519');
  if (!(await pathExists(identityFile))) return createSshKey(folder);
  return {identityFile, publicKey: (await readFile(`${identityFile}.pub`, 'utf8')).trim()};
}
