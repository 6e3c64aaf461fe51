/**
 * The small file systems of the disk, made in files by the tools tree's programs with every free choice fixed: no
 * mounts, no loop devices, the same bytes every time.
 */
import {mkdir, truncate, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {guidFromHex} from '../formats/guid.ts';
import type {SectorSize} from '../formats/gpt/types.ts';
import type {Argv} from '../platform/exec.ts';
import {ESP_PATHS} from '../formats/slot/esp-paths.ts';
import {PARTITIONS} from '../formats/disk-layout.ts';

export interface FileSystemOptions {
  out: string;
  /** Seconds since 1970, for every time stamp. */
  sourceDate: number;
  /** 32 hex digits or more; identifiers are taken from it. */
  seed: string;
  sectorSize: SectorSize;
  run: (argv: Argv, options?: {env: Record<string, string>}) => Promise<unknown>;
}

/** The ESP: selector, and the UKI of slot A. */
export async function makeEsp(
  files: {selector: string; uki: string},
  options: FileSystemOptions,
): Promise<void> {
  const {out, sourceDate, seed, sectorSize, run} = options;
  await writeFile(out, '');
  await truncate(out, PARTITIONS.esp.bytes);
  // FAT32 in any case: some firmware reads nothing else from a partition.
  await run([
    'mkfs.vfat',
    '--invariant',
    '-F',
    '32',
    '-S',
    String(sectorSize),
    '-n',
    'EFI-SYSTEM',
    '-i',
    seed.slice(0, 8),
    out,
  ]);
  const env = {SOURCE_DATE_EPOCH: String(sourceDate), MTOOLS_SKIP_CHECK: '1', TZ: 'UTC'};
  const directories = new Set(
    [ESP_PATHS.selector, ESP_PATHS.ukiA].flatMap((path) => [dirname(dirname(path)), dirname(path)]),
  );
  for (const directory of directories) await run(['mmd', '-i', out, `::/${directory}`], {env});
  for (const [from, to] of [
    [files.selector, ESP_PATHS.selector],
    [files.uki, ESP_PATHS.ukiA],
  ] as const) {
    await run(['mcopy', '-i', out, from, `::/${to}`], {env});
  }
}

/** OEM: an empty ext4 for what a platform or customer adds. */
export async function makeOem(workDir: string, options: FileSystemOptions): Promise<void> {
  const {out, sourceDate, seed, run} = options;
  const empty = join(workDir, 'oem');
  await mkdir(empty);
  await writeFile(out, '');
  await truncate(out, PARTITIONS.oem.bytes);
  const uuid = guidFromHex(seed.slice(0, 32));
  await run(
    [
      'mkfs.ext4',
      '-q',
      '-F',
      // Also fits disks with sectors of 4096 bytes.
      '-b',
      '4096',
      '-L',
      'OEM',
      '-U',
      uuid,
      '-d',
      empty,
      '-E',
      `hash_seed=${uuid},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0`,
      out,
    ],
    {env: {SOURCE_DATE_EPOCH: String(sourceDate), E2FSPROGS_FAKE_TIME: String(sourceDate)}},
  );
}
