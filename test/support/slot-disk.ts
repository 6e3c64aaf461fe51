/** Disks of Caisson's layout in small, with slot bits as a test wants them and damage where it wants it. */
import {type FileHandle, open} from 'node:fs/promises';
import {readSlots, writeSlotBits, type Slot, type SlotLetter} from '../../formats/gpt/slots.ts';
import {encodeGpt, newGptTable, setEntry, type EncodedGpt} from '../../formats/gpt/table.ts';
import {PARTITION_TYPES, type GptTable, type SectorSize} from '../../formats/gpt/types.ts';
import {createGpt} from '../../platform/gpt-disk.ts';

const MIB = 1024 * 1024;

/** Priority, tries left, successful. */
export type Bits = readonly [number, number, boolean];
export type BitsOfSlots = Readonly<Partial<Record<SlotLetter, Bits>>>;
export type TablePart = Exclude<keyof EncodedGpt, 'protectiveMbr'>;

export interface SlotDiskOptions {
  sectorSize: SectorSize;
  diskBytes: number;
  slots: BitsOfSlots;
  /** The slot with the lower partition number; A if left out. */
  firstSlot?: SlotLetter;
  espBytes?: number;
  slotBytes?: number;
  /** Attribute bits that no slot operation may touch. */
  otherAttributes?: bigint;
}

export function slotTable(options: SlotDiskOptions): GptTable {
  const {sectorSize, diskBytes, slots, firstSlot = 'A', espBytes = MIB, otherAttributes = 0n} = options;
  const {slotBytes = MIB} = options;
  const sectorsOf = (bytes: number) => BigInt(bytes / sectorSize);
  let table = newGptTable({
    sectorSize,
    diskSectors: sectorsOf(diskBytes),
    diskGuid: '5c2b3c1e-9c54-4c3f-8d1f-0c9a4e6d7b10',
  });
  let next = sectorsOf(MIB);
  const add = (name: string, typeGuid: string, lastLba: bigint, attributes = 0n) => {
    const index = table.entries.indexOf(null);
    const uniqueGuid = `5c2b3c1e-9c54-4c3f-8d1f-0c9a4e6d7b1${index + 1}`;
    table = setEntry(table, index, {typeGuid, uniqueGuid, firstLba: next, lastLba, attributes, name});
    next = lastLba + 1n;
  };
  add('EFI-SYSTEM', PARTITION_TYPES.esp, next + sectorsOf(espBytes) - 1n);
  for (const letter of firstSlot === 'A' ? (['A', 'B'] as const) : (['B', 'A'] as const)) {
    const [priority, tries, successful] = slots[letter] ?? [0, 0, false];
    if (slots[letter] === undefined) continue;
    const attributes = writeSlotBits(otherAttributes, {priority, tries, successful});
    add(`USR-${letter}`, PARTITION_TYPES.usrX86_64, next + sectorsOf(slotBytes) - 1n, attributes);
  }
  const end = table.lastUsableLba + 1n;
  add('ROOT', PARTITION_TYPES.rootX86_64, end - (end % sectorsOf(MIB)) - 1n);
  return table;
}

/** Makes a sparse image file with the table on it. */
export async function writeSlotDisk(path: string, options: SlotDiskOptions): Promise<GptTable> {
  const table = slotTable(options);
  await usingFile(path, 'w', (file) => file.truncate(options.diskBytes));
  await createGpt(path, table);
  return table;
}

/** Changes one byte in each of these parts of the table. */
export async function damageDisk(path: string, table: GptTable, parts: readonly TablePart[]): Promise<void> {
  const encoded = encodeGpt(table);
  await usingFile(path, 'r+', async (file) => {
    for (const part of parts) {
      const {offset, bytes} = encoded[part];
      await file.write(Uint8Array.of((bytes[60] ?? 0) ^ 0x55), 0, 1, offset + 60);
    }
  });
}

export function bitsOf(table: GptTable): BitsOfSlots {
  const toBits = ({letter, priority, tries, successful}: Slot) => [letter, [priority, tries, successful]];
  return Object.fromEntries(readSlots(table).map(toBits)) as BitsOfSlots;
}

async function usingFile(path: string, flags: string, use: (file: FileHandle) => Promise<unknown>) {
  const file = await open(path, flags);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
