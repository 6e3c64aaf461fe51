/** What is on a disk, as an image file or as a device: table, ESP, slots, and what a machine would start from it. */
import {type ByteSource, windowOf} from '../formats/byte-source.ts';
import {CodedError} from '../formats/errors.ts';
import type {GptCopy, GptReading} from '../formats/gpt/decode.ts';
import {type Slot, readSlots} from '../formats/gpt/slots.ts';
import {type GptEntry, PARTITION_TYPES, type SectorSize} from '../formats/gpt/types.ts';
import type {Guid} from '../formats/guid.ts';
import {type GptDisk, readGpt, withGptDisk} from '../platform/gpt-disk.ts';
import {type BootReason, explainBoot} from '../formats/slot/boot-reason.ts';
import {type EspFacts, inspectEsp} from '../formats/slot/esp-facts.ts';
import {
  type UkiState,
  type UsrState,
  type VerifyOptions,
  findMismatches,
  inspectUsr,
  reasonOf,
} from '../formats/slot/parts.ts';

export class DiskInspectionError extends CodedError<'qcow2' | 'no-table'> {}

export interface PartitionFacts {
  number: number;
  label: string;
  type: Guid;
  guid: Guid;
  offset: number;
  bytes: number;
}

export interface SlotFacts extends Pick<Slot, 'letter' | 'label' | 'priority' | 'tries' | 'successful'> {
  partitionGuid: Guid;
  uki: UkiState;
  usr: UsrState;
  /** Why it would not come up. */
  faults: string[];
}

export interface DiskInspection {
  bytes: number;
  sectorSize: SectorSize;
  diskGuid: Guid;
  /** `valid`, or what is wrong with a copy. */
  table: {primary: string; backup: string; agree: boolean};
  partitions: PartitionFacts[];
  espFiles: EspFacts['files'];
  slots: SlotFacts[];
  boot: BootReason;
  /** What is wrong with the disk as it is: a fresh image's empty slot is not. */
  problems: string[];
}

const QCOW2_MAGIC = 'QFI\u00fb';

/** `verify` has all of /usr hashed as well. Throws DiskInspectionError or an error of the operating system. */
export async function inspectDisk(path: string, verify?: VerifyOptions): Promise<DiskInspection> {
  return withGptDisk(path, {}, async (disk) => {
    const magic = Buffer.from(await disk.readAt(0, 4)).toString('latin1');
    if (magic === QCOW2_MAGIC) {
      throw new DiskInspectionError('qcow2', `${path} is a qcow2 image; only raw disks can be read`, {
        hint: `convert it first: qemu-img convert -O raw ${path} disk.raw`,
      });
    }
    return inspectTable(disk, await readTable(disk, path), verify);
  });
}

async function readTable(disk: GptDisk, path: string): Promise<GptReading> {
  try {
    return await readGpt(disk);
  } catch (error) {
    throw new DiskInspectionError('no-table', `${path}: ${reasonOf(error)}`, {cause: error});
  }
}

async function inspectTable(
  disk: GptDisk,
  reading: GptReading,
  verify: VerifyOptions | undefined,
): Promise<DiskInspection> {
  const {table, primary, backup, agree} = reading;
  const source: ByteSource = {
    bytes: Number(disk.diskSectors) * disk.sectorSize,
    readAt: (offset, length) => disk.readAt(offset, length),
  };
  const partitions = table.entries.flatMap((entry, index) =>
    entry === null ? [] : [partitionFacts(entry, index, table.sectorSize)],
  );
  const windowOn = ({offset, bytes}: PartitionFacts): ByteSource => windowOf(source, offset, bytes);
  const espPartition = partitions.find(({type}) => type === PARTITION_TYPES.esp);
  const esp = await inspectEsp(espPartition === undefined ? undefined : windowOn(espPartition));
  const slots: SlotFacts[] = [];
  for (const slot of readSlots(table)) {
    const partition = partitions.find(({number}) => number === slot.index + 1);
    if (partition !== undefined) slots.push(await inspectSlot(slot, windowOn(partition), esp, verify));
  }
  const unloadable = slots.filter(({uki}) => !isLoadable(uki)).map(({letter}) => letter);
  const boot = explainBoot(table, unloadable);
  return {
    bytes: source.bytes,
    sectorSize: table.sectorSize,
    diskGuid: table.diskGuid,
    table: {primary: describeCopy(primary), backup: describeCopy(backup), agree},
    partitions,
    espFiles: esp.files,
    slots,
    boot,
    problems: [
      ...describeTableProblems(reading),
      ...esp.problems.map((problem) => `ESP: ${problem}`),
      ...describeSlotProblems(slots, boot),
    ],
  };
}

async function inspectSlot(
  slot: Slot,
  partition: ByteSource,
  esp: EspFacts,
  verify: VerifyOptions | undefined,
): Promise<SlotFacts> {
  const {letter, label, priority, tries, successful, partitionGuid} = slot;
  const uki = esp.ukis[letter];
  const usr = await inspectUsr(partition, verify);
  const faults = findMismatches(uki, usr, partitionGuid);
  return {letter, label, priority, tries, successful, partitionGuid, uki, usr, faults};
}

function isLoadable(uki: UkiState): boolean {
  return uki.kind === 'uki' || (uki.kind === 'damaged' && uki.isLoadable);
}

function partitionFacts(entry: GptEntry, index: number, sectorSize: SectorSize): PartitionFacts {
  return {
    number: index + 1,
    label: entry.name,
    type: entry.typeGuid,
    guid: entry.uniqueGuid,
    offset: Number(entry.firstLba) * sectorSize,
    bytes: Number(entry.lastLba - entry.firstLba + 1n) * sectorSize,
  };
}

function describeCopy(copy: GptCopy): string {
  return copy.valid ? 'valid' : copy.error.message;
}

function describeTableProblems({primary, backup, agree}: GptReading): string[] {
  const problems: string[] = [];
  if (!primary.valid) problems.push(`the primary partition table is damaged: ${primary.error.message}`);
  if (!backup.valid) problems.push(`the backup partition table is damaged: ${backup.error.message}`);
  if (primary.valid && backup.valid && !agree)
    problems.push('primary and backup partition table differ; the primary counts');
  return problems;
}

/** A slot that nobody would start may hold anything: a fresh disk has one, and so has a host in the midst of an update. */
function describeSlotProblems(slots: readonly SlotFacts[], boot: BootReason): string[] {
  const faults = slots.flatMap((slot) => {
    const isCandidate = slot.priority > 0 && (slot.successful || slot.tries > 0);
    return isCandidate || slot.letter === boot.letter
      ? slot.faults.map((fault) => `slot ${slot.letter} is to be started, but ${fault}`)
      : [];
  });
  return boot.letter === null ? [...faults, `nothing would be started: ${boot.reason}`] : faults;
}
