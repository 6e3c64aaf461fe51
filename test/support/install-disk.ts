/**
 * A disk of the real size to install on, in memory: it holds an old system of its own, and otherwise what old disks
 * hold, which is not zeros where it matters.
 */
import {type GptEntry, PARTITION_TYPES} from '../../formats/gpt/types.ts';
import {encodeGpt, newGptTable, setEntry} from '../../formats/gpt/table.ts';
import {MIB} from '../../formats/units.ts';
import type {InstallDisk} from '../../update-engine/installer/disk.ts';
import {minimumDiskBytes} from '../../update-engine/installer/plan.ts';
import {type DiskBase, type RecordingDisk, SECTOR} from './recording-disk.ts';

export const OLD_DISK_GUID = '0badc0de-0000-4000-8000-000000000001';
export const DISK_BYTES = minimumDiskBytes() + 64 * MIB;
const PAGE = 64 * 1024;

/** Zeros but for some islands. */
export class SparseBase implements DiskBase {
  readonly length: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(bytes: number, islands: readonly {offset: number; bytes: Uint8Array}[]) {
    this.length = bytes;
    for (const island of islands)
      for (let at = 0; at < island.bytes.length;) {
        const [page, within] = [Math.floor((island.offset + at) / PAGE), (island.offset + at) % PAGE];
        const content = this.#pages.get(page) ?? new Uint8Array(PAGE);
        const piece = island.bytes.subarray(at, at + PAGE - within);
        content.set(piece, within);
        this.#pages.set(page, content);
        at += piece.length;
      }
  }

  subarray(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(to, this.length) - from));
    for (let page = Math.floor(from / PAGE); page * PAGE < from + bytes.length; page += 1) {
      const content = this.#pages.get(page);
      if (content === undefined) continue;
      const start = Math.max(from, page * PAGE);
      const end = Math.min(from + bytes.length, (page + 1) * PAGE);
      bytes.set(content.subarray(start - page * PAGE, end - page * PAGE), start - from);
    }
    return bytes;
  }

  /** Whether any of these bytes may be something else than zero. */
  hasIsland(offset: number, bytes: number): boolean {
    for (let page = Math.floor(offset / PAGE); page * PAGE < offset + bytes; page += 1)
      if (this.#pages.has(page)) return true;
    return false;
  }
}

/** A disk with a table whose backup lies before the end, an EFI system partition, and old data all over. */
export function oldDisk(): SparseBase {
  const covered = DISK_BYTES - 16 * MIB;
  const table = newGptTable({
    sectorSize: SECTOR,
    diskSectors: BigInt(covered / SECTOR),
    diskGuid: OLD_DISK_GUID,
  });
  const entry = (
    name: string,
    typeGuid: string,
    firstMib: number,
    lastMib: number,
    index: number,
  ): GptEntry => ({
    ...{name, typeGuid, attributes: 0n},
    uniqueGuid: `0badc0de-0000-4000-8000-0000000001${String(index).padStart(2, '0')}`,
    firstLba: BigInt((firstMib * MIB) / SECTOR),
    lastLba: BigInt((lastMib * MIB) / SECTOR) - 1n,
  });
  const withEntries = setEntry(
    setEntry(table, 0, entry('old ESP', PARTITION_TYPES.esp, 3, 103, 1)),
    1,
    entry('old data', PARTITION_TYPES.linuxData, 103, 5000, 2),
  );
  const encoded = encodeGpt(withEntries);
  const junk = (offset: number, bytes: number): {offset: number; bytes: Uint8Array} => ({
    offset,
    bytes: Buffer.alloc(bytes, 0xa5),
  });
  return new SparseBase(DISK_BYTES, [
    ...[encoded.protectiveMbr, encoded.primaryHeader, encoded.primaryEntries],
    ...[encoded.backupEntries, encoded.backupHeader],
    // Where the EFI system partition was, where USR-B, OEM and ROOT begin, within OEM, and at the very end.
    ...[junk(3 * MIB, 8192), junk(3073 * MIB, 65_536), junk(5121 * MIB, 65_536), junk(5160 * MIB, 131_072)],
    ...[junk(5249 * MIB, 65_536), junk(DISK_BYTES - 65_536, 65_536)],
  ]);
}

/** The disk that the installer sees: zeros are written only where something else was, as a real disk does it. */
export async function installDiskOf(recording: RecordingDisk): Promise<InstallDisk> {
  return recording.useTable('write', (whole) => {
    const base = recording.image.base as SparseBase;
    const isZero = (offset: number, bytes: number): boolean =>
      !base.hasIsland(offset, bytes) && recording.image.read(offset, bytes).every((byte) => byte === 0);
    const disk: InstallDisk = {
      ...whole,
      path: 'a disk in memory',
      bytes: base.length,
      settle: () => whole.flush(),
      async zero(offset, bytes) {
        for (let at = offset; at < offset + bytes; at += PAGE) {
          const length = Math.min(PAGE, offset + bytes - at);
          if (!isZero(at, length)) await whole.writeAt(at, new Uint8Array(length));
        }
      },
    };
    return Promise.resolve(disk);
  });
}
