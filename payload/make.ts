/**
 * A full payload from a release directory: partitions `usr` and `kernel`.
 *
 * The verity tree does not travel: the host computes it from the data, as the manifest's hash_tree fields tell it to; the
 * block with verity's superblock between the two does. Blobs go to a scratch file first, because the manifest in front of
 * them holds their hashes.
 */
import type {FileHandle} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {formatProduct} from '../formats/payload/product.ts';
import type {PartitionUpdate} from '../formats/payload/types.ts';
import {type Release, fileOfRole} from '../formats/release.ts';
import {readerOf} from '../platform/files.ts';
import type {Log} from '../platform/log.ts';
import {withScratchFile} from '../platform/new-file.ts';
import {type WrittenPayload, encodeMetadata, writePayload} from './assemble.ts';
import type {Effort} from './compress.ts';
import {MakePayloadError} from './errors.ts';
import {encodePartition} from './partition.ts';
import {type ExpectedTree, readHashTree, scanPartition} from './scan.ts';
import {type Signing, signatureSizesOf} from './signing.ts';
import {type PartitionSource, withPartitionSource} from './source.ts';

/** Below the directory of a release, where a build that makes the same again leaves it alone. */
export const PAYLOAD_FILE = join('payload', 'update.payload');

export interface MakeOptions {
  /** With release.json. */
  directory: string;
  release: Release;
  /** The folder is there. */
  out: string;
  signing: Signing;
  /** How many chunks are compressed at once. */
  jobs: number;
  /** Default `small`. */
  effort?: Effort;
  signal: AbortSignal;
  log: Log;
}

interface Partition {
  name: 'usr' | 'kernel';
  file: string;
  source: PartitionSource;
  expected: ExpectedTree | null;
}

/** Throws MakePayloadError, ExecError when a compressor fails, VerityError. Nothing is written then. */
export async function makePayload(options: MakeOptions): Promise<WrittenPayload> {
  const {directory, release, out, signing} = options;
  const sizes = signatureSizesOf(signing);
  const pathOf = (role: string): string => join(directory, fileOfRole(release, role));
  return withPartitionSource(pathOf('usr'), (usr) =>
    withPartitionSource(pathOf('uki'), (uki) =>
      withScratchFile(dirname(out), async (scratch) => {
        const hashTree = await readHashTree(usr, release.usr.hashOffset);
        const expected = {hashTree, rootHash: release.usr.rootHash};
        const {partitions, blobsEnd} = await encodePartitions(
          [
            {name: 'usr', file: fileOfRole(release, 'usr'), source: usr, expected},
            {name: 'kernel', file: fileOfRole(release, 'uki'), source: uki, expected: null},
          ],
          scratch,
          options,
        );
        const metadata = encodeMetadata(
          {minorVersion: 0, signaturesOffset: blobsEnd, maxTimestamp: release.sourceDate, partitions},
          sizes,
        );
        const blobs = {bytes: blobsEnd, readAt: readerOf(scratch)};
        return options.log.step('Signing and reading back', (progress) => {
          let done = 0;
          const onBytes = (count: number): void => progress.update((done += count), 2 * blobsEnd);
          return writePayload(out, {metadata, blobs, signing}, {signal: options.signal, onBytes});
        });
      }),
    ),
  );
}

async function encodePartitions(
  list: readonly Partition[],
  blobs: FileHandle,
  options: MakeOptions,
): Promise<{partitions: PartitionUpdate[]; blobsEnd: number}> {
  const partitions: PartitionUpdate[] = [];
  let blobsEnd = 0;
  for (const partition of list) {
    const encoded = await encodeOne(partition, blobs, blobsEnd, options);
    partitions.push(encoded.partition);
    blobsEnd = encoded.blobsEnd;
  }
  return {partitions, blobsEnd};
}

async function encodeOne(
  {name, file, source, expected}: Partition,
  blobs: FileHandle,
  blobsOffset: number,
  {release, signal, log, jobs, effort = 'small'}: MakeOptions,
): Promise<{partition: PartitionUpdate; blobsEnd: number}> {
  const scan = await log.step(`Reading ${file}`, (progress) => {
    let done = 0;
    const onBytes = (count: number): void => progress.update((done += count), source.bytes);
    return scanPartition(source, {expected, signal, onBytes});
  });
  const wanted = release.files[file]?.sha256;
  if (scan.fileSha256 !== wanted)
    throw new MakePayloadError(
      'bad-release',
      `${file} has SHA-256 ${scan.fileSha256}, release.json says ${wanted}`,
      {hint: 'build the release again'},
    );
  const hashTree = expected?.hashTree ?? null;
  const {operations, blobsEnd} = await log.step(`Compressing ${file}`, (progress) => {
    let done = 0;
    const onBytes = (count: number): void => progress.update((done += count), source.bytes);
    return encodePartition(source, {scan, hashTree, blobsOffset, blobs, jobs, effort, signal, onBytes});
  });
  const {id, architecture, version} = release;
  return {
    partition: {
      name,
      oldInfo: null,
      newInfo: {bytes: source.bytes, sha256: scan.sha256},
      operations,
      hashTree,
      version: formatProduct({id, architecture, version}),
    },
    blobsEnd,
  };
}
