/**
 * What goes where on the new disk, as a value: computed from sizes alone, before anything is touched.
 *
 * Why from a payload and not from a disk image: the payload of a release is small, signed by keys that every host of it
 * carries, and offered by any Omaha server, so that the installer needs no file, no signature and no server of its own.
 * What a payload lacks (table, EFI system partition, OEM) has no content that a build would have to make: the installer
 * makes it for this very disk, with its own identifiers, its real end and its real sector size. An image would fit one
 * size of sectors, and would have to be changed after its hash was checked. The selector, the one program beside the
 * payload, comes with the installer, whose word the operator takes anyway. Rejected, then: a compressed disk.raw with a
 * signed manifest.
 */
import {
  PARTITIONS,
  type PlacedPartition,
  imageBytes,
  layoutTable,
  placePartitions,
} from '../../formats/disk-layout.ts';
import {type FatFormat, formatFat32} from '../../formats/fat/format.ts';
import {fatMoment} from '../../formats/fat/entry-writing.ts';
import type {GptTable, SectorSize} from '../../formats/gpt/types.ts';
import type {Guid} from '../../formats/guid.ts';
import {ESP_PATHS} from '../../formats/slot/esp-paths.ts';
import {GIB, MIB, formatBytes} from '../../formats/units.ts';
import {InstallerError} from './errors.ts';

export interface DiskShape {
  path: string;
  bytes: number;
  sectorSize: SectorSize;
}

/** Of what is to be installed, in bytes. */
export interface ReleaseSizes {
  usr: number;
  uki: number;
  selector: number;
}

/** Bytes of the disk. */
export interface Place {
  offset: number;
  bytes: number;
}

/** What is made up anew for each disk. */
export interface DiskIdentifiers {
  disk: Guid;
  /** By label. */
  partition: (label: string) => Guid;
  /** 32 bits. */
  espVolume: number;
}

export interface InstallPlan {
  esp: PlacedPartition;
  usr: PlacedPartition;
  oem: PlacedPartition;
  /** Inside the EFI system partition, on the disk. */
  selector: Place;
  uki: Place;
  espFormat: FatFormat;
  /** Must read as zeros in the end, for what was there before would be taken for something. */
  blank: readonly Place[];
  /** `usrGuid` is known once /usr was read back. */
  tableOf: (usrGuid: Guid) => GptTable;
}

/** What the first boot makes ROOT of; see overlays/os/usr/lib/repart.d/50-root.conf. */
const MIN_ROOT_BYTES = GIB;
/** Of the disk at both ends: tables of either sector size, boot code, and the marks of arrays and volume managers. */
const EDGE_BYTES = MIB;
/** What tools look at to name a file system lies in the first 64 KiB; btrfs is the last of them. */
const SIGNATURE_BYTES = 128 * 1024;

export function minimumDiskBytes(): number {
  return imageBytes() + MIN_ROOT_BYTES;
}

/** Throws InstallerError 'refused' when the disk is too small, FatError 'no-room' when the UKI is too large. */
export function planInstall(
  {path, bytes: wholeBytes, sectorSize}: DiskShape,
  sizes: ReleaseSizes,
  identifiers: DiskIdentifiers,
  now: number,
): InstallPlan {
  // A file need not end with a whole sector.
  const diskBytes = wholeBytes - (wholeBytes % sectorSize);
  requireRoom(path, diskBytes, sizes);
  const [esp, usr] = [partition('esp'), partition('usrA')] as const;
  const [usrB, oem] = [partition('usrB'), partition('oem')] as const;
  const espFormat = formatFat32({
    volumeBytes: esp.bytes,
    sectorBytes: sectorSize,
    label: PARTITIONS.esp.label,
    volumeId: identifiers.espVolume,
    hiddenSectors: esp.offset / sectorSize,
    files: [
      {path: ESP_PATHS.selector, bytes: sizes.selector},
      {path: ESP_PATHS.ukiA, bytes: sizes.uki},
    ],
    modified: fatMoment(now),
  });
  const file = (name: string): Place => {
    const {offset = 0, room = 0} = espFormat.files.get(name) ?? {};
    return {offset: esp.offset + offset, bytes: room};
  };
  const end = oem.offset + oem.bytes;
  return {
    ...{esp, usr, oem, espFormat},
    selector: file(ESP_PATHS.selector),
    uki: file(ESP_PATHS.ukiA),
    blank: [
      {offset: usrB.offset, bytes: SIGNATURE_BYTES},
      {offset: oem.offset, bytes: oem.bytes},
      // Where ROOT is going to be: a file system of old that begins there must not be found.
      {offset: end, bytes: Math.min(SIGNATURE_BYTES, diskBytes - EDGE_BYTES - end)},
    ],
    tableOf: (usrGuid) =>
      layoutTable({
        ...{sectorSize, usrGuid},
        diskSectors: BigInt(diskBytes / sectorSize),
        diskGuid: identifiers.disk,
        guidOf: identifiers.partition,
      }),
  };
}

/** First and last bytes of a disk, where tables lie. */
export function edgesOf(diskBytes: number): readonly Place[] {
  return [
    {offset: diskBytes - EDGE_BYTES, bytes: EDGE_BYTES},
    {offset: 0, bytes: EDGE_BYTES},
  ];
}

function requireRoom(path: string, diskBytes: number, {usr}: ReleaseSizes): void {
  const needed = minimumDiskBytes();
  if (diskBytes < needed) {
    throw new InstallerError(
      'refused',
      `${path} has ${formatBytes(diskBytes)}, an installation needs ${formatBytes(needed)}`,
      {hint: `give a disk of at least ${needed} bytes`},
    );
  }
  if (usr > PARTITIONS.usrA.bytes) {
    throw new InstallerError(
      'refused',
      `/usr of the release has ${usr} bytes, its partition only ${PARTITIONS.usrA.bytes}`,
    );
  }
}

function partition(name: PlacedPartition['name']): PlacedPartition {
  const found = placePartitions().find((each) => each.name === name);
  if (found === undefined) throw new Error(`the layout has no ${name}`);
  return found;
}
