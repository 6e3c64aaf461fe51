/**
 * The live installer as an ISO: an EFI system partition with the live UKI, which firmware finds on an optical drive (El
 * Torito) and, because the image is a disk with a partition table as well, on a USB stick. No boot loader beside the
 * UKI: kernel, initrd and /usr are in it, so that nothing has to be found again once the kernel runs.
 *
 * An addon beside the UKI keeps ROOT in memory. Without it the live system of a machine that has Caisson already would take
 * the ROOT of its disk for its own, and the installer would find that disk in use.
 */
import {createHash} from 'node:crypto';
import {createReadStream, createWriteStream} from 'node:fs';
import {pipeline} from 'node:stream/promises';
import {ADDON_FOLDER, ADDON_SUFFIX, encodeKernelAddon} from '../formats/efi-addon.ts';
import {formatFat32} from '../formats/fat/format.ts';
import {fatMoment} from '../formats/fat/entry-writing.ts';
import {PARTITION_TYPES} from '../formats/gpt/types.ts';
import {MIB} from '../formats/units.ts';
import type {Argv} from '../platform/exec.ts';
import {withFile} from '../platform/files.ts';
import {writeAll} from '../platform/new-file.ts';

export const ISO_LABEL = 'CAISSON_LIVE';
/** What firmware starts from removable media. */
const BOOT_FILE = 'EFI/BOOT/BOOTX64.EFI';
const ADDON_FILE = `${ADDON_FOLDER}/memory${ADDON_SUFFIX}`;
/** Tables, folders, and what rounding takes. */
const SLACK_BYTES = 4 * MIB;
/** Fewer clusters would make it FAT16. */
const MIN_ESP_BYTES = 260 * MIB;

/** Writes the file system that firmware looks into; `uki` is copied into it. */
export async function writeIsoEsp(
  out: string,
  uki: {path: string; bytes: number},
  {seed, sourceDate}: {seed: string; sourceDate: number},
): Promise<void> {
  const volumeBytes = Math.max(MIN_ESP_BYTES, Math.ceil((uki.bytes + SLACK_BYTES) / MIB) * MIB);
  const addon = encodeKernelAddon(['caisson.root=memory']);
  const {bootSector, metadata, files} = formatFat32({
    volumeBytes,
    sectorBytes: 512,
    label: ISO_LABEL.slice(0, 11),
    volumeId: createHash('sha256').update(`${seed} iso`).digest().readUInt32BE(0),
    hiddenSectors: 0,
    files: [
      {path: BOOT_FILE, bytes: uki.bytes},
      {path: ADDON_FILE, bytes: addon.length},
    ],
    modified: fatMoment(1000 * sourceDate),
  });
  const place = files.get(BOOT_FILE)?.offset ?? 0;
  await withFile(out, 'w', async (image) => {
    await image.truncate(volumeBytes);
    for (const {offset, bytes} of [...metadata, bootSector]) await writeAll(image, bytes, offset);
    await writeAll(image, addon, files.get(ADDON_FILE)?.offset ?? 0);
  });
  await pipeline(
    createReadStream(uki.path, {highWaterMark: MIB}),
    createWriteStream(out, {flags: 'r+', start: place}),
  );
}

/** `tree` holds what else is to be seen on the medium. */
export function isoCommand({esp, tree, out}: {esp: string; tree: string; out: string}): Argv {
  return [
    'xorriso',
    ...['-as', 'mkisofs', '-o', out, '-V', ISO_LABEL, '-R', '-J'],
    // Owners and modes of whoever built it are nobody's business.
    ...['-uid', '0', '-gid', '0', '-file-mode', '0444', '-dir-mode', '0555'],
    // The partition table counts from sector 16 of the medium, as readers of hybrid images expect it.
    ...['-partition_offset', '16', '-appended_part_as_gpt'],
    ...['-append_partition', '2', PARTITION_TYPES.esp, esp],
    ...['-e', '--interval:appended_partition_2:all::', '-no-emul-boot'],
    tree,
  ];
}
