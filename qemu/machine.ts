/**
 * One running virtual machine.
 *
 * INVARIANTS
 * - QEMU never outlives us: it gets SIGKILL when this process dies, however that happens.
 * - `kill` is a power cut: the guest notices nothing, QEMU flushes nothing.
 * - The runtime folder is gone once the machine has ended; what shall stay (disks, variables, logs) lies elsewhere.
 */
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {start} from '../platform/exec.ts';
import {detectAcceleration} from './acceleration.ts';
import {qemuArguments} from './arguments.ts';
import {MachineConsole} from './console.ts';
import {type Deadline, waitUntil} from './deadline.ts';
import {QemuError} from './errors.ts';
import {ensureFirmwareVars, findFirmware} from './firmware.ts';
import type {MachineSpec} from './machine-spec.ts';
import {QmpClient} from './qmp.ts';
import {createRuntimeFolder, type RuntimeFolder} from './runtime-folder.ts';
import {SshClient} from './ssh.ts';
import {parseForwards} from './user-network.ts';

/** QEMU listens within milliseconds; this is for a host that swaps or runs many machines. */
export const QMP_DEADLINE_MS = 120_000;
const LAST_WORDS_MS = 5_000;

export interface MachineOptions extends Omit<
  MachineSpec,
  'accelerator' | 'firmware' | 'serial' | 'qmpSocket' | 'memoryMiB' | 'cpus'
> {
  /** Default: KVM where it works. */
  accelerator?: MachineSpec['accelerator'];
  /** Default 2048. */
  memoryMiB?: number;
  /** Default 2. */
  cpus?: number;
  /** Firmware variables, made when missing and kept; default a copy that lives as long as the machine. */
  varsFile?: string;
  /** The console is appended to this file. */
  consoleLog?: string;
  /** Cuts the machine's power when aborted. */
  signal?: AbortSignal;
}

export interface MachineEnd {
  exitCode: number | undefined;
  signal: string | undefined;
  stderr: string;
}

export class Machine {
  readonly spec: MachineSpec;
  readonly console: MachineConsole;
  readonly qmp: QmpClient;
  readonly folder: string;
  /** Resolves when QEMU has ended and the runtime folder is gone. */
  readonly ended: Promise<MachineEnd>;
  readonly #kill: () => void;
  readonly #hostPorts: ReadonlyMap<number, number>;

  constructor(parts: {
    spec: MachineSpec;
    console: MachineConsole;
    qmp: QmpClient;
    folder: string;
    ended: Promise<MachineEnd>;
    kill: () => void;
    hostPorts: ReadonlyMap<number, number>;
  }) {
    this.spec = parts.spec;
    this.console = parts.console;
    this.qmp = parts.qmp;
    this.folder = parts.folder;
    this.ended = parts.ended;
    this.#kill = parts.kill;
    this.#hostPorts = parts.hostPorts;
  }

  /** The port on 127.0.0.1 behind which the guest's port is. Throws QemuError `bad-spec` when none is. */
  hostPort(guestPort: number): number {
    const port = this.#hostPorts.get(guestPort);
    if (port === undefined) {
      throw new QemuError('bad-spec', `machine ${this.spec.name} has no forward to guest port ${guestPort}`);
    }
    return port;
  }

  ssh(user: string, identityFile: string): SshClient {
    return new SshClient({
      port: this.hostPort(22),
      user,
      identityFile,
      knownHostsFile: join(this.folder, 'known_hosts'),
      controlSocket: join(this.folder, `ssh-${user}`),
    });
  }

  /** Resolves when QEMU has ended, for example because the guest powered off. Throws QemuError `timed-out`. */
  waitForExit(options: Deadline): Promise<MachineEnd> {
    const onDeadline = () =>
      new QemuError(
        'timed-out',
        `machine ${this.spec.name} still runs after ${options.deadlineMs} ms\n${this.console.lastLines(20)}`,
      );
    return waitUntil<MachineEnd>({...options, onDeadline}, ({resolve}) => {
      void this.ended.then(resolve);
      return () => undefined;
    });
  }

  /** Presses the power button and waits for the guest to power off. Throws QemuError `timed-out`. */
  async powerOff(options: Deadline): Promise<MachineEnd> {
    await this.qmp.execute('system_powerdown');
    return this.waitForExit(options);
  }

  /** Presses the reset button. */
  async reset(): Promise<void> {
    await this.qmp.execute('system_reset');
  }

  /** Cuts the power. */
  async kill(): Promise<MachineEnd> {
    this.#kill();
    return this.ended;
  }
}

/** Starts a machine. Throws QemuError `no-emulator`, `no-firmware`, `bad-spec`, or `exited` with QEMU's words. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  options.signal?.throwIfAborted();
  const folder = await createRuntimeFolder();
  try {
    const spec = await completeSpec(options, folder.path, {kind: 'stdio'});
    return await launch(spec, options, folder);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** Fills in what the options leave open; makes the firmware's variables. */
export async function completeSpec(
  options: MachineOptions,
  folder: string,
  serial: MachineSpec['serial'],
): Promise<MachineSpec> {
  const firmware = await findFirmware();
  const vars = options.varsFile ?? join(folder, 'vars.fd');
  await ensureFirmwareVars(firmware, vars);
  return {
    ...options,
    accelerator: options.accelerator ?? (await detectAcceleration()).accelerator,
    memoryMiB: options.memoryMiB ?? 2048,
    cpus: options.cpus ?? 2,
    firmware: {code: firmware.code, vars},
    serial,
    qmpSocket: join(folder, 'qmp'),
  };
}

async function launch(spec: MachineSpec, options: MachineOptions, folder: RuntimeFolder): Promise<Machine> {
  // The kernel kills QEMU when we die, even by SIGKILL, when no handler of ours can.
  const child = start(['setpriv', '--pdeathsig', 'KILL', '--', ...qemuArguments(spec)]);
  const kill = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', kill, {once: true});
  const gone = new AbortController();
  const ended = child.ended.then(async ({exitCode, signal, stderr}) => {
    options.signal?.removeEventListener('abort', kill);
    gone.abort(new QemuError('exited', 'QEMU ended before it could be used'));
    await folder.remove();
    return {exitCode, signal, stderr};
  });
  // A guest's console that nobody types into; an error on it (QEMU is gone) is told by `ended`.
  child.stdin.on('error', () => undefined);
  const console = new MachineConsole(child.stdout, {
    ...(options.consoleLog === undefined ? {} : {logFile: options.consoleLog}),
  });
  try {
    const qmp = await QmpClient.connect(String(spec.qmpSocket), {
      deadlineMs: QMP_DEADLINE_MS,
      signal: gone.signal,
    });
    const hostPorts = await readHostPorts(spec, qmp);
    return new Machine({spec, console, qmp, folder: folder.path, ended, kill, hostPorts});
  } catch (error) {
    const hasEnded = error instanceof QemuError && error.code === 'exited';
    // It closes its sockets before it ends, and says why on standard error.
    if (hasEnded) await Promise.race([ended, sleep(LAST_WORDS_MS, undefined, {ref: false})]);
    kill();
    const {stderr} = await ended;
    options.signal?.throwIfAborted();
    if (!hasEnded) throw error;
    throw new QemuError('exited', `QEMU did not start ${spec.name}: ${stderr.trim()}`, {cause: error});
  }
}

/** Which port of 127.0.0.1 leads to which port of the guest. */
export async function readHostPorts(spec: MachineSpec, qmp: QmpClient): Promise<ReadonlyMap<number, number>> {
  if (!spec.networks.some(({kind}) => kind === 'user')) return new Map();
  const forwards = parseForwards(await qmp.monitor('info usernet'));
  return new Map(forwards.map(({hostPort, guestPort}) => [guestPort, hostPort]));
}
