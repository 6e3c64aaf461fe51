/** Boots an image for one test: a fresh overlay, a key of its own, and the console kept when the test fails. */
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {TestContext} from 'node:test';
import {type BaseImage, createOverlay} from '../../../qemu/disk.ts';
import {type Machine, type MachineOptions, startMachine} from '../../../qemu/machine.ts';
import {createSshKey, type SshKey} from '../../../qemu/ssh.ts';
import {Guest} from './guest.ts';
import {fileNameOf, GUEST_FOLDER, LOG_FOLDER} from './paths.ts';

/** A boot takes 10 s with KVM, and minutes in emulation on a busy host. */
export const BOOT_DEADLINE_MS = 600_000;

const JOURNAL_LINES = 2_000;
const JOURNAL_DEADLINE_MS = 60_000;

const GIB = 1024 ** 3;

export interface GuestOptions extends Partial<
  Omit<MachineOptions, 'disks' | 'signal' | 'consoleLog' | 'incoming'>
> {
  image: BaseImage;
  /** Bytes that the guest sees as the size of its disk; default 8 GiB. */
  diskBytes?: number;
  /** Bytes of a sector; default 512. */
  sectorBytes?: 512 | 4096;
  /** More disks than the one with the image. */
  moreDisks?: MachineOptions['disks'];
  /** Who logs in; default `core`. */
  user?: string;
  /** The credential in which the guest expects the public key. */
  keyCredential?: string;
}

/**
 * Starts a machine with the image, waits until it can be logged in to, runs the test's body, and ends the machine
 * whatever happened. When the test fails, its console and its journal stay in out/test-logs.
 */
export async function withMachine(
  t: TestContext,
  options: GuestOptions,
  use: (guest: Guest) => Promise<void>,
): Promise<void> {
  const boot = async (folder: string, consoleLog: string): Promise<void> => {
    const key = await createSshKey(folder);
    const disk = join(folder, 'disk.qcow2');
    await createOverlay(disk, options.image, options.diskBytes ?? 8 * GIB);
    const machine = await startMachine({
      ...machineOptions(options, key, disk),
      consoleLog,
      signal: t.signal,
    });
    await withRunning(machine, async () => {
      const guest = new Guest(machine, machine.ssh(options.user ?? 'core', key.identityFile));
      await guest.ssh.waitUntilUp({deadlineMs: BOOT_DEADLINE_MS, signal: t.signal});
      await keepingJournal(guest, consoleLog, () => use(guest));
    });
  };
  await withTestFolder(t, boot, options.name);
}

/**
 * Starts a machine from a raw disk that the test made, as it is, and does not wait for its boot: what becomes of that is
 * often the question.
 */
export async function withRawDisk(
  t: TestContext,
  {image, disk, folder, consoleLog}: {image: BaseImage; disk: string; folder: string; consoleLog: string},
  use: (guest: Guest) => Promise<void>,
): Promise<void> {
  const key = await createSshKey(folder);
  const machine = await startMachine({
    ...machineOptions({image, watchdog: true}, key, disk),
    disks: [{path: disk, format: 'raw', cache: 'unsafe'}],
    consoleLog,
    signal: t.signal,
  });
  await withRunning(machine, async () => {
    const guest = new Guest(machine, machine.ssh('core', key.identityFile));
    await keepingJournal(guest, consoleLog, () => use(guest));
  });
}

/** What QEMU is told about such a guest, wherever its disk lies. */
export function machineOptions(options: GuestOptions, key: SshKey, disk: string): MachineOptions {
  return {
    ...options,
    name: options.name ?? 'guest',
    disks: [
      {
        path: disk,
        format: 'qcow2',
        // Cutting the guest's power does not take this host down, and its page cache is quicker.
        cache: 'unsafe',
        ...(options.sectorBytes === undefined ? {} : {sectorBytes: options.sectorBytes}),
      },
      ...(options.moreDisks ?? []),
    ],
    networks: options.networks ?? [{kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]}],
    credentials: {
      [options.keyCredential ?? 'caisson.ssh-authorized-keys']: `${key.publicKey}\n`,
      ...options.credentials,
    },
  };
}

export async function withRunning(machine: Machine, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    await machine.kill();
  }
}

/** When `use` fails, writes the guest's journal beside the console's log, if it can still be had. */
export async function keepingJournal(
  guest: Guest,
  consoleLog: string,
  use: () => Promise<void>,
): Promise<void> {
  try {
    await use();
  } catch (error) {
    const lines = ['journalctl', '--boot', '--no-pager', '--lines', String(JOURNAL_LINES)] as const;
    const journal = await guest.runAsRoot(lines, {deadlineMs: JOURNAL_DEADLINE_MS}).catch(() => undefined);
    if (journal !== undefined) await writeFile(consoleLog.replace(/\.log$/, '.journal.log'), journal);
    throw error;
  }
}

/**
 * A folder for the length of one test, and a console log that is kept when the test fails; `machine` tells the logs of a
 * test with several machines apart.
 */
export async function withTestFolder(
  t: TestContext,
  use: (folder: string, consoleLog: string) => Promise<void>,
  machine = '',
): Promise<void> {
  await mkdir(GUEST_FOLDER, {recursive: true});
  await mkdir(LOG_FOLDER, {recursive: true});
  const folder = await mkdtemp(join(GUEST_FOLDER, 'test-'));
  const consoleLog = join(LOG_FOLDER, `${fileNameOf(`${t.fullName} ${machine}`.trim())}.log`);
  await writeFile(consoleLog, '');
  try {
    await use(folder, consoleLog);
  } catch (error) {
    t.diagnostic(`console: ${consoleLog}`);
    throw error;
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
  await rm(consoleLog, {force: true});
}
