/** Finds out whether KVM really works here, by running a guest of a few instructions with it. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Argv, exec, ExecError} from '../platform/exec.ts';
import {acceleratorArguments, QEMU_BINARY} from './arguments.ts';
import {QemuError} from './errors.ts';
import {PROBE_EXIT_CODE, PROBE_EXIT_DEVICE, probeRom} from './probe-rom.ts';

export type Acceleration = {accelerator: 'kvm'} | {accelerator: 'tcg'; reason: string};

/** A working KVM answers in a tenth of a second, also on a busy host. */
const PROBE_TIMEOUT_MS = 1_500;

let detected: Promise<Acceleration> | undefined;

/** KVM if it works, else emulation and the reason. Asked once per process. Throws QemuError `no-emulator`. */
export function detectAcceleration(): Promise<Acceleration> {
  detected ??= probeKvm();
  return detected;
}

async function probeKvm(): Promise<Acceleration> {
  const failure = await probeAccelerator('kvm');
  return failure === undefined ? {accelerator: 'kvm'} : {accelerator: 'tcg', reason: failure};
}

/** Undefined when guests run with this accelerator, else why not. Throws QemuError `no-emulator`. */
export async function probeAccelerator(accelerator: 'kvm' | 'tcg'): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'caisson-probe-'));
  try {
    const rom = join(folder, 'rom');
    await writeFile(rom, probeRom());
    return await runProbe(accelerator, rom);
  } finally {
    await rm(folder, {recursive: true});
  }
}

async function runProbe(accelerator: 'kvm' | 'tcg', rom: string): Promise<string | undefined> {
  const argv: Argv = [
    QEMU_BINARY,
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'q35', '-m', '16M'],
    ...acceleratorArguments(accelerator),
    ...['-bios', rom, '-device', PROBE_EXIT_DEVICE],
  ];
  const stop = new AbortController();
  let complaint = '';
  try {
    await exec(argv, {
      okCodes: [PROBE_EXIT_CODE],
      timeoutMs: PROBE_TIMEOUT_MS,
      signal: stop.signal,
      onLine(line) {
        if (complaint === '' && !line.includes('warning:')) complaint = line;
        // QEMU reports an instruction that KVM cannot run and then waits with the guest stopped.
        if (line.startsWith('KVM internal error')) stop.abort();
      },
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    if (error.code === 'not-found') {
      throw new QemuError('no-emulator', `${QEMU_BINARY} was not found`, {
        cause: error,
        hint: 'install the package qemu-system-x86',
      });
    }
    if (complaint !== '') return complaint.replace(/^qemu-system-x86_64: /, '');
    return error.code === 'timed-out'
      ? `the guest did not finish within ${PROBE_TIMEOUT_MS} ms`
      : `QEMU ended with exit code ${error.exitCode ?? 'unknown'}`;
  }
}
