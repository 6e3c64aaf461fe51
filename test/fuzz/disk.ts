/**
 * Disks: whatever a partition table or an ESP holds, reading ends with an answer or an error of ours; and what was
 * accepted can be written to without harm to anything else.
 */
import {crc32} from 'node:zlib';
import {sourceOf} from '../../formats/byte-source.ts';
import {CodedError} from '../../formats/errors.ts';
import {fatMoment} from '../../formats/fat/entry-writing.ts';
import {surveyFat} from '../../formats/fat/survey.ts';
import {openFat} from '../../formats/fat/volume.ts';
import {planReplace} from '../../formats/fat/write-plan.ts';
import {giveUp, readSlots} from '../../formats/gpt/slots.ts';
import {predictBoot} from '../../formats/gpt/selection.ts';
import {type EncodedGpt, type GptRegion, encodeGpt} from '../../formats/gpt/table.ts';
import {type GptDisk, readGpt, updateGpt} from '../../platform/gpt-disk.ts';
import {espOf} from '../support/small-disk.ts';
import {slotTable} from '../support/slot-disk.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const SECTOR = 512;
/** Boot sector, free count, both tables and the directories of the small ESP. */
const ESP_METADATA_BYTES = 8 * SECTOR;
const DISK_BYTES = 8 << 20;
const PATH = 'EFI/caisson/usr-b.efi';
const NEW_BYTES = 3000;

export const fatTarget: FuzzTarget = {
  name: 'fat',
  what: 'FAT32 volumes, read and written to',
  prepare() {
    const whole = espOf({A: Buffer.alloc(2000, 'a'), B: Buffer.alloc(1500, 'b')}).bytes;
    return Promise.resolve(async (random: Random) => {
      const volume = damagedHead(whole, ESP_METADATA_BYTES, random);
      const before = await mayRefuse(() => contentsOf(volume));
      const survey = await mayRefuse(() => surveyFat(sourceOf(volume), PATH));
      if (survey === undefined) return;
      const modified = fatMoment(0);
      const steps = await mayRefuse(() => planReplace(survey, PATH, {bytes: NEW_BYTES, modified}));
      if (steps === undefined) return;
      const content = Buffer.alloc(NEW_BYTES, 'n');
      for (const step of steps) {
        if (step.kind === 'flush') continue;
        const bytes =
          step.kind === 'write' ? step.bytes : content.subarray(step.from, step.from + step.length);
        if (step.offset + bytes.length > volume.length) throw new Error('a write beyond the volume');
        volume.set(bytes, step.offset);
      }
      const after = await contentsOf(volume);
      requireSame(before, after);
      const name = [...after.keys()].find((path) => path.toLowerCase() === PATH.toLowerCase());
      if (after.get(name ?? '') !== content.toString('latin1'))
        throw new Error('the new file is not what was written');
    });
  },
};

export const gptTarget: FuzzTarget = {
  name: 'gpt',
  what: 'partition tables, read and written to',
  prepare() {
    const slots = {A: [1, 0, true], B: [2, 2, false]} as const;
    const table = slotTable({sectorSize: SECTOR, diskBytes: DISK_BYTES, slots});
    const disk = Buffer.alloc(DISK_BYTES);
    const encoded = encodeGpt(table);
    const parts: readonly GptRegion[] = Object.values({...encoded});
    return Promise.resolve(async (random: Random) => {
      for (const {offset, bytes} of parts) disk.set(bytes, offset);
      for (const {offset, bytes} of parts) {
        if (random.below(2) === 0) continue;
        const head = mutate(Buffer.from(bytes.subarray(0, SECTOR)), random).subarray(0, bytes.length);
        disk.set(head, offset);
      }
      // A wrong CRC hides everything behind it; half of the tables have correct ones over wrong values.
      if (random.below(2) === 0)
        for (const copy of ['primary', 'backup'] as const) correctCrcs(disk, encoded, copy);
      const device = deviceOf(disk);
      const reading = await mayRefuse(() => readGpt(device));
      if (reading === undefined) return;
      predictBoot(reading.table);
      const [slot] = readSlots(reading.table);
      const changed = await mayRefuse(() =>
        updateGpt(device, (current) => (slot === undefined ? current : giveUp(current, slot.letter))),
      );
      if (changed === undefined) return;
      const again = await readGpt(device);
      if (!again.agree) throw new Error('the copies differ after writing');
      if (readSlots(again.table).some(({letter, priority}) => letter === slot?.letter && priority !== 0))
        throw new Error('the slot was not given up');
    });
  },
};

function damagedHead(whole: Buffer, headBytes: number, random: Random): Buffer {
  const volume = Buffer.from(whole);
  const head = mutate(Buffer.from(whole.subarray(0, headBytes)), random);
  volume.set(head.subarray(0, volume.length));
  return volume;
}

/** Path to content of all files but the one that is written. */
async function contentsOf(volume: Uint8Array): Promise<Map<string, string>> {
  const fat = await openFat(sourceOf(volume));
  const contents = new Map<string, string>();
  for (const file of await fat.walk()) {
    if (file.kind === 'directory') continue;
    const isWritten = file.path.toLowerCase() === PATH.toLowerCase();
    const source = await mayRefuse(() => fat.open(file), isWritten);
    if (source === undefined) continue;
    contents.set(file.path, Buffer.from(await source.readAt(0, source.bytes)).toString('latin1'));
  }
  return contents;
}

function requireSame(before: Map<string, string> | undefined, after: Map<string, string>): void {
  for (const [path, content] of before ?? []) {
    if (path.toLowerCase() === PATH.toLowerCase()) continue;
    if (after.get(path) !== content) throw new Error(`${path} is not what it was`);
  }
}

/** Offsets of UEFI 2.10 table 5.5. */
function correctCrcs(disk: Buffer, encoded: EncodedGpt, copy: 'primary' | 'backup'): void {
  const header = disk.subarray(encoded[`${copy}Header`].offset, encoded[`${copy}Header`].offset + SECTOR);
  const {offset, bytes} = encoded[`${copy}Entries`];
  header.writeUInt32LE(crc32(disk.subarray(offset, offset + bytes.length)), 88);
  header.writeUInt32LE(0, 16);
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
}

function deviceOf(disk: Buffer): GptDisk {
  return {
    sectorSize: SECTOR,
    diskSectors: BigInt(disk.length / SECTOR),
    readAt: (offset, length) => Promise.resolve(Uint8Array.from(disk.subarray(offset, offset + length))),
    writeAt(offset, bytes) {
      if (offset + bytes.length > disk.length) throw new Error('a write beyond the disk');
      disk.set(bytes, offset);
      return Promise.resolve();
    },
    flush: () => Promise.resolve(),
  };
}

/** Undefined when it was refused by an error of ours. */
async function mayRefuse<T>(action: () => Promise<T> | T, mayFail = true): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof CodedError && mayFail) return undefined;
    throw error;
  }
}
