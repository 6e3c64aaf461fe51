/**
 * A guest that was booted once and is restored for each test that only needs a running host: a second or two
 * instead of a boot. Test files share it across processes, and later runs too, until the image changes.
 *
 * Each restore is the same machine: same machine id, same host keys, same random seed; a test about those must boot.
 */
import {createHash} from 'node:crypto';
import {mkdir, readdir, readFile, rename, rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {TestContext} from 'node:test';
import {createOverlay} from '../../../qemu/disk.ts';
import {startMachine} from '../../../qemu/machine.ts';
import {correctClock, isSavedMachine, restoreMachine, saveMachine} from '../../../qemu/snapshot.ts';
import {createSshKey, type SshKey} from '../../../qemu/ssh.ts';
import {tryFileLock, withFileLock} from './file-lock.ts';
import {Guest} from './guest.ts';
import {GUEST_FOLDER} from './paths.ts';
import {
  BOOT_DEADLINE_MS,
  type GuestOptions,
  keepingJournal,
  machineOptions,
  withRunning,
  withTestFolder,
} from './with-machine.ts';

const GIB = 1024 ** 3;
const RESTORE_DEADLINE_MS = 300_000;

/** Changes whenever saved guests of before must not be used any more. */
const LAYOUT = 1;

/** Restores the shared guest, booting and saving it first if nobody has, and runs the test's body with it. */
export async function withSharedGuest(
  t: TestContext,
  options: GuestOptions,
  use: (guest: Guest) => Promise<void>,
): Promise<void> {
  const key = await keyOf(options);
  const folder = join(GUEST_FOLDER, key);
  const lockFile = `${folder}.lock`;
  await withTestFolder(t, async (testFolder, consoleLog) => {
    for (;;) {
      // Shared first: many restores at a time. Held as long as the test runs, whose overlay lies over the saved disk.
      const isDone = await withFileLock(lockFile, {mode: 'shared', signal: t.signal}, async () => {
        if (!(await isSavedMachine(join(folder, 'saved')))) return false;
        await restoreAndUse(folder, testFolder, {...options, consoleLog, signal: t.signal}, use);
        return true;
      });
      if (isDone) return;
      await withFileLock(lockFile, {mode: 'exclusive', signal: t.signal}, async () => {
        // Someone else may have been quicker.
        if (await isSavedMachine(join(folder, 'saved'))) return;
        await bootAndSave(folder, options, consoleLog, t.signal);
        await removeOutdated(key);
      });
    }
  });
}

async function bootAndSave(
  folder: string,
  options: GuestOptions,
  consoleLog: string,
  signal: AbortSignal,
): Promise<void> {
  await rm(folder, {recursive: true, force: true});
  await mkdir(folder, {recursive: true});
  const key = await createSshKey(folder);
  const disk = join(folder, 'disk.qcow2');
  await createOverlay(disk, options.image, options.diskBytes ?? 8 * GIB);
  const machine = await startMachine({...machineOptions(options, key, disk), consoleLog, signal});
  await withRunning(machine, async () => {
    const guest = new Guest(machine, machine.ssh(options.user ?? 'core', key.identityFile));
    const deadline = {deadlineMs: BOOT_DEADLINE_MS, signal};
    await guest.ssh.waitUntilUp(deadline);
    await guest.bootFinished(deadline);
    await guest.run(['sync']);
    // A connection that is open now would be found dead by the guest after each restore.
    await guest.ssh.disconnect();
    await saveMachine(machine, join(folder, 'saved'), {deadlineMs: RESTORE_DEADLINE_MS, signal});
  });
  // How the guest booted belongs to no single test.
  await rename(consoleLog, join(folder, 'console.log'));
}

async function restoreAndUse(
  folder: string,
  testFolder: string,
  options: GuestOptions & {consoleLog: string; signal: AbortSignal},
  use: (guest: Guest) => Promise<void>,
): Promise<void> {
  const key = await readKey(folder);
  const deadline = {deadlineMs: RESTORE_DEADLINE_MS, signal: options.signal};
  const machine = await restoreMachine(
    join(folder, 'saved'),
    {
      ...machineOptions(options, key, join(testFolder, 'disk.qcow2')),
      consoleLog: options.consoleLog,
      signal: options.signal,
    },
    deadline,
  );
  await withRunning(machine, async () => {
    const guest = new Guest(machine, machine.ssh(options.user ?? 'core', key.identityFile));
    await guest.ssh.waitUntilUp(deadline);
    await correctClock(guest.ssh);
    await keepingJournal(guest, options.consoleLog, () => use(guest));
  });
}

async function readKey(folder: string): Promise<SshKey> {
  const identityFile = join(folder, 'id_ed25519');
  return {identityFile, publicKey: (await readFile(`${identityFile}.pub`, 'utf8')).trim()};
}

/**
 * `PATH-VERSION-OPTIONS`, each a hash. A build writes the image anew, so the file's identity stands for its content;
 * hashing that would cost seconds for each test.
 */
async function keyOf(options: GuestOptions): Promise<string> {
  const {path} = options.image;
  const {dev, ino, size, mtimeNs} = await stat(path, {bigint: true});
  // Where a switch listens differs from run to run, and means nothing to the guest.
  const networks = options.networks?.map((each) => (each.kind === 'socket' ? {...each, path: ''} : each));
  const shape = networks === undefined ? options : {...options, networks};
  return [[path], [dev, ino, size, mtimeNs].map(String), [LAYOUT, shape]].map(shortHash).join('-');
}

function shortHash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8);
}

/** Guests saved from what the image was before are half a GiB each that nobody will ask for again. */
async function removeOutdated(key: string): Promise<void> {
  const [path, version] = key.split('-');
  for (const name of await readdir(GUEST_FOLDER)) {
    const other = /^(?<path>\w{8})-(?<version>\w{8})-\w{8}(?=\.lock$)/.exec(name);
    if (other === null || other.groups?.['path'] !== path || other.groups?.['version'] === version) continue;
    const folder = join(GUEST_FOLDER, other[0]);
    // Unless someone uses it right now.
    await tryFileLock(join(GUEST_FOLDER, name), () => rm(folder, {recursive: true, force: true}));
  }
}
