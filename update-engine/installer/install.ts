/**
 * The order on disk in which a machine is installed, as data, and the one function that executes it. The tests of power
 * cuts are made from the same list. At every moment the disk is the old one, or none that anything would start from, or
 * wholly installed: what makes it bootable is taken away first and written last, when all else was read back.
 */
import {type ByteSource, windowOf} from '../../formats/byte-source.ts';
import {openFat} from '../../formats/fat/volume.ts';
import {encodeGpt, gptWriteSteps} from '../../formats/gpt/table.ts';
import type {GptTable} from '../../formats/gpt/types.ts';
import type {Product} from '../../formats/payload/product.ts';
import {ESP_PATHS} from '../../formats/slot/esp-paths.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import {type CheckedSlot, checkSlot} from '../slots/check-slot.ts';
import {type Target, sourceOfTarget} from '../slots/target.ts';
import {hashOf} from '../slots/write-uki.ts';
import type {InstallDisk} from './disk.ts';
import {InstallerError} from './errors.ts';
import {type InstallPlan, type Place, edgesOf} from './plan.ts';
import {regionTarget, writeSparse} from './region.ts';
import {wipeDisk} from './wipe.ts';

export const INSTALLER_STEPS = [
  {name: 'wipe', what: 'every table, and the mark of every EFI system partition, is taken away'},
  {name: 'write-release', what: '/usr and the UKI stream from the signed payload to their places'},
  {name: 'check-release', what: 'both are read back: SHA-256, verity, and whether they belong together'},
  {name: 'write-rest', what: 'selector, OEM and the EFI system partition around them; its first sector last'},
  {name: 'check-rest', what: 'all of that is read back'},
  {name: 'commit', what: 'the backup table, the table, and the sector that says that there is one'},
] as const;

export type InstallerStep = (typeof INSTALLER_STEPS)[number]['name'];

/** What the payload brought, by its signed manifest. */
export interface FilledRelease {
  usr: {bytes: number; sha256: Uint8Array};
  uki: {bytes: number; sha256: Uint8Array};
  product: Product;
}

export interface DiskInstallation {
  disk: InstallDisk;
  plan: InstallPlan;
  selector: Uint8Array;
  /** The file system of OEM, as long as its partition. */
  oem: ByteSource;
  /** Writes both, flushed or not. Throws to give up. */
  fill(targets: Readonly<Record<'usr' | 'kernel', Target>>): Promise<FilledRelease>;
  signal: AbortSignal;
  /** Each step begins. */
  onStep: (step: InstallerStep) => void;
}

const CHUNK_BYTES = 1 << 20;

/**
 * Throws what `fill` throws, SlotError and VerityCheckError, InstallerError 'wrong-content', the signal's reason, or an
 * error of the operating system; then the disk does not boot. May be called again.
 */
export async function installDisk(options: DiskInstallation): Promise<CheckedSlot> {
  const {disk, plan, signal, onStep} = options;
  signal.throwIfAborted();
  onStep('wipe');
  await wipeDisk(disk);
  signal.throwIfAborted();
  onStep('write-release');
  const targets = {usr: regionTarget(disk, plan.usr), kernel: regionTarget(disk, plan.uki)};
  const {usr, uki, product} = await options.fill(targets);
  onStep('check-release');
  const source = windowOf(sourceOfTarget(targets.kernel), 0, uki.bytes);
  const checked = await checkSlot(targets.usr, {usr, uki: {source, sha256: uki.sha256}, product}, signal);
  onStep('write-rest');
  await writeRest(options);
  onStep('check-rest');
  await checkRest(options, uki.sha256);
  signal.throwIfAborted();
  onStep('commit');
  await commit(disk, plan.tableOf(checked.partitionGuid));
  return checked;
}

async function writeRest({disk, plan, selector, oem, signal}: DiskInstallation): Promise<void> {
  for (const {offset, bytes} of plan.blank) await disk.zero(offset, bytes);
  signal.throwIfAborted();
  const padded = Buffer.alloc(plan.selector.bytes);
  padded.set(selector);
  await disk.writeAt(plan.selector.offset, padded);
  for (let at = 0; at < oem.bytes; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    // Its partition was blanked above: only what is not zero is written.
    await writeSparse(disk, plan.oem.offset + at, await oem.readAt(at, CHUNK_BYTES), 'is-blank');
  }
  const {metadata, bootSector} = plan.espFormat;
  for (const {offset, bytes} of metadata) await disk.writeAt(plan.esp.offset + offset, bytes);
  await disk.flush();
  await disk.writeAt(plan.esp.offset + bootSector.offset, bootSector.bytes);
  await disk.flush();
}

async function checkRest(options: DiskInstallation, ukiSha256: Uint8Array): Promise<void> {
  const {disk, plan, selector, oem, signal} = options;
  await disk.settle();
  const whole: ByteSource = {bytes: disk.bytes, readAt: (offset, length) => disk.readAt(offset, length)};
  for (const place of plan.blank) if (place.offset !== plan.oem.offset) await requireBlank(disk, place);
  for (let at = 0; at < oem.bytes; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    const wanted = await oem.readAt(at, CHUNK_BYTES);
    const found = await disk.readAt(plan.oem.offset + at, wanted.length);
    if (Buffer.compare(wanted, found) !== 0) throw wrongContent(disk, plan.oem.offset + at, 'OEM');
  }
  const volume = await openFat(windowOf(whole, plan.esp.offset, plan.esp.bytes));
  const problems = await volume.check();
  if (problems.length > 0)
    throw wrongContent(disk, plan.esp.offset, `the EFI system partition (${problems.join('; ')})`);
  const readFile = async (path: string): Promise<ByteSource> => volume.open(await volume.find(path));
  const program = await readFile(ESP_PATHS.selector);
  if (Buffer.compare(await program.readAt(0, program.bytes), selector) !== 0)
    throw wrongContent(disk, plan.selector.offset, 'the selector');
  if (!(await hashOf(await readFile(ESP_PATHS.ukiA), signal)).equals(ukiSha256))
    throw wrongContent(disk, plan.uki.offset, 'the UKI');
}

async function requireBlank(disk: InstallDisk, {offset, bytes}: Place): Promise<void> {
  const found = await disk.readAt(offset, bytes);
  if (found.some((byte) => byte !== 0)) throw wrongContent(disk, offset, 'what should be zeros');
}

/**
 * Not interrupted any more: it takes moments. What fails half-way is taken away again, as far as the disk still takes
 * writes. Firmware and kernel look at the protective MBR first, so that this one sector comes last.
 */
async function commit(disk: InstallDisk, table: GptTable): Promise<void> {
  const encoded = encodeGpt(table);
  try {
    for (const step of gptWriteSteps(encoded)) {
      if (step.kind === 'flush') await disk.flush();
      else await disk.writeAt(step.region.offset, step.region.bytes);
    }
    await disk.writeAt(encoded.protectiveMbr.offset, encoded.protectiveMbr.bytes);
    await disk.settle();
    const {agree} = await readGpt(disk);
    if (!agree) throw wrongContent(disk, encoded.primaryHeader.offset, 'the partition table');
  } catch (error) {
    for (const {offset, bytes} of edgesOf(disk.bytes)) await disk.zero(offset, bytes).catch(() => undefined);
    await disk.flush().catch(() => undefined);
    throw error;
  }
}

function wrongContent({path}: InstallDisk, offset: number, what: string): InstallerError {
  return new InstallerError('wrong-content', `${path}: ${what} reads back wrong at byte ${offset}`, {
    hint: 'the disk is failing, or somebody else writes to it',
  });
}
