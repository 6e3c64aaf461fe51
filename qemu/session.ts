/**
 * One machine that a person works with: its console is the terminal, its disk is thrown away at the end unless a file
 * for it is named, and ssh reaches it under a key that belongs to this checkout.
 */
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {start} from '../platform/exec.ts';
import {pathExists} from '../platform/files.ts';
import {findFreePort} from '../platform/free-port.ts';
import {type Acceleration, detectAcceleration} from './acceleration.ts';
import {qemuArguments} from './arguments.ts';
import {createCopy, createOverlay} from './disk.ts';
import {ensureFirmwareVars, findFirmware} from './firmware.ts';
import {createSshKey, type SshKey} from './ssh.ts';

export interface SessionOptions {
  /** Where the key, the note about the running machine and the firmware's variables lie. */
  folder: string;
  /** Raw image of the release; it is only read. */
  image: string;
  sectorBytes: 512 | 4096;
  /** Keeps what the machine writes; a copy of the image, made on first use. */
  diskFile: string | undefined;
  diskBytes: number;
  memoryMiB: number;
  cpus: number;
  /** Port of this machine that leads to the guest's ssh; 0 takes 2222, or any free one when that is taken. */
  sshPort: number;
  user: string;
  /** Further ports, for example 8080 to 80. */
  forwards: readonly {hostPort: number; guestPort: number}[];
  /** Words added to the kernel command line. */
  kernelArguments: readonly string[];
  /** Shown after the login on the console. */
  welcome: string;
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
  argv: [string, ...string[]];
  /** Removes what the machine leaves behind. */
  end(): Promise<void>;
}

const PREFERRED_SSH_PORT = 2222;
const NOTE_FILE = 'machine.json';

/** Prepares everything up to QEMU's arguments. */
export async function prepareSession(options: SessionOptions): Promise<Session> {
  const {folder} = options;
  await mkdir(folder, {recursive: true});
  const key = await ensureKey(folder);
  const port = options.sshPort !== 0 ? options.sshPort : await findFreePort(PREFERRED_SSH_PORT);
  const own = join(folder, `run-${process.pid}`);
  await mkdir(own);
  const disk = options.diskFile ?? join(own, 'disk.qcow2');
  const image = {path: options.image, format: 'raw'} as const;
  if (options.diskFile === undefined) await createOverlay(disk, image, options.diskBytes);
  else if (!(await pathExists(disk))) await createCopy(disk, image, options.diskBytes);
  const firmware = await findFirmware();
  const vars = options.diskFile === undefined ? join(own, 'vars.fd') : `${options.diskFile}.vars`;
  await ensureFirmwareVars(firmware, vars);
  const acceleration = await detectAcceleration();
  const note: SessionNote = {pid: process.pid, port, user: options.user, identityFile: key.identityFile};
  await writeFile(join(folder, NOTE_FILE), JSON.stringify(note));
  const argv = qemuArguments({
    name: 'caisson',
    accelerator: acceleration.accelerator,
    memoryMiB: options.memoryMiB,
    cpus: options.cpus,
    firmware: {code: firmware.code, vars},
    disks: [
      {
        path: disk,
        format: 'qcow2',
        sectorBytes: options.sectorBytes,
        cache: options.diskFile === undefined ? 'unsafe' : 'writeback',
      },
    ],
    networks: [{kind: 'user', forwards: [{hostPort: port, guestPort: 22}, ...options.forwards]}],
    serial: {kind: 'terminal'},
    watchdog: true,
    credentials: {
      'caisson.ssh-authorized-keys': `${key.publicKey}\n`,
      // Whoever sits at this terminal started the machine; a password would protect nothing.
      'agetty.autologin': options.user,
      'login.noauth': 'yes',
      // The firmware clears the screen, so what was printed before is repeated after the login.
      'login.motd': options.welcome,
    },
    kernelArguments: options.kernelArguments,
  });
  return {
    ...note,
    acceleration,
    argv,
    async end() {
      await rm(own, {recursive: true, force: true});
      await rm(join(folder, NOTE_FILE), {force: true});
    },
  };
}

/** Gives the terminal to QEMU until it ends. Returns its exit code. */
export async function runInTerminal(session: Session): Promise<number> {
  const machine = start(['setpriv', '--pdeathsig', 'KILL', '--', ...session.argv], {stdio: 'inherit'});
  return (await machine.ended).exitCode ?? 1;
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
