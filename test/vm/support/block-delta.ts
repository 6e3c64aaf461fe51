/**
 * A delta payload by whole blocks: what the old partition has is copied from it, the rest travels as it is. Good enough
 * for two releases of the same packages, and cheap to apply under emulation, where unpacking a full payload takes
 * minutes.
 */
import {createHash, type KeyObject} from 'node:crypto';
import {type FileHandle, writeFile} from 'node:fs/promises';
import {encodePayloadHeader} from '../../../formats/payload/header.ts';
import {encodeManifest} from '../../../formats/payload/manifest.ts';
import {encodeSignatures, signaturesBytesOf, signDigest} from '../../../formats/payload/signatures.ts';
import {
  BLOCK_BYTES,
  type Extent,
  type Manifest,
  type Operation,
  type PartitionUpdate,
} from '../../../formats/payload/types.ts';
import {withFile} from '../../../platform/files.ts';

export interface BlockDeltaOptions {
  /** Paths of the images by partition name; the same names in both. */
  old: Readonly<Record<string, string>>;
  next: Readonly<Record<string, string>>;
  /** PRODUCT/ARCHITECTURE/VERSION. */
  version: string;
  maxTimestamp: number;
  key: KeyObject;
  out: string;
}

/** From which minor version on the format has the operations used here. */
const MINOR_VERSION = 7;
const WINDOW_BLOCKS = 1024;
const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

export async function writeBlockDelta(options: BlockDeltaOptions): Promise<void> {
  await withFile(options.out, 'w', async (out) => {
    const blobs: Buffer[] = [];
    const partitions: PartitionUpdate[] = [];
    for (const [name, path] of Object.entries(options.next))
      partitions.push(await diffPartition(name, options.old[name] ?? '', path, options.version, blobs));
    const signature = signDigest(sha256(ZERO_BLOCK), options.key);
    const manifest: Manifest = {
      minorVersion: MINOR_VERSION,
      signaturesOffset: blobs.reduce((sum, {length}) => sum + length, 0),
      signaturesBytes: signaturesBytesOf([signature.length]),
      maxTimestamp: options.maxTimestamp,
      partitions,
    };
    const encoded = encodeManifest(manifest);
    const head = Buffer.concat([
      encodePayloadHeader({manifestBytes: encoded.length, metadataSignatureBytes: manifest.signaturesBytes}),
      encoded,
    ]);
    const sign = (pieces: readonly Uint8Array[]): Uint8Array =>
      encodeSignatures([signDigest(sha256(...pieces), options.key)]);
    await writeFile(out, Buffer.concat([head, sign([head]), ...blobs, sign([head, ...blobs])]));
  });
}

async function diffPartition(
  name: string,
  oldPath: string,
  nextPath: string,
  version: string,
  blobs: Buffer[],
): Promise<PartitionUpdate> {
  return withFile(oldPath, 'r', async (old) => {
    const {places, info: oldInfo} = await indexBlocks(old);
    return withFile(nextPath, 'r', async (next) => {
      const operations: Operation[] = [];
      const whole = createHash('sha256');
      let bytes = 0;
      for await (const window of windows(next)) {
        whole.update(window);
        operations.push(...diffWindow(window, bytes / BLOCK_BYTES, places, blobs));
        bytes += window.length;
      }
      return {
        name,
        oldInfo,
        newInfo: {bytes, sha256: whole.digest()},
        operations,
        hashTree: null,
        version,
      };
    });
  });
}

function diffWindow(
  window: Buffer,
  firstBlock: number,
  places: ReadonlyMap<string, number>,
  blobs: Buffer[],
): Operation[] {
  const [copied, sources, zeros, replaced]: [number[], number[], number[], number[]] = [[], [], [], []];
  const source = createHash('sha256');
  const data: Buffer[] = [];
  for (let block = 0; block * BLOCK_BYTES < window.length; block += 1) {
    const content = window.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    const place = places.get(digestOf(content));
    if (content.equals(ZERO_BLOCK)) zeros.push(firstBlock + block);
    else if (place === undefined) {
      replaced.push(firstBlock + block);
      data.push(Buffer.from(content));
    } else {
      copied.push(firstBlock + block);
      sources.push(place);
      source.update(content);
    }
  }
  const none = {data: null, srcExtents: [], srcSha256: null};
  const operations: Operation[] = [];
  if (copied.length > 0)
    operations.push({
      ...none,
      type: 'SOURCE_COPY',
      srcExtents: extentsOf(sources),
      srcSha256: source.digest(),
      dstExtents: extentsOf(copied),
    });
  if (zeros.length > 0) operations.push({...none, type: 'ZERO', dstExtents: extentsOf(zeros)});
  if (replaced.length > 0) {
    const blob = Buffer.concat(data);
    const offset = blobs.reduce((sum, {length}) => sum + length, 0);
    blobs.push(blob);
    operations.push({
      ...none,
      type: 'REPLACE',
      data: {offset, bytes: blob.length, sha256: sha256(blob)},
      dstExtents: extentsOf(replaced),
    });
  }
  return operations;
}

/** Where each different block of the file lies first; zero blocks are not worth a copy. */
async function indexBlocks(
  file: FileHandle,
): Promise<{places: Map<string, number>; info: {bytes: number; sha256: Uint8Array}}> {
  const places = new Map<string, number>();
  const whole = createHash('sha256');
  let bytes = 0;
  for await (const window of windows(file)) {
    whole.update(window);
    for (let at = 0; at < window.length; at += BLOCK_BYTES) {
      const digest = digestOf(window.subarray(at, at + BLOCK_BYTES));
      if (!places.has(digest)) places.set(digest, (bytes + at) / BLOCK_BYTES);
    }
    bytes += window.length;
  }
  return {places, info: {bytes, sha256: whole.digest()}};
}

/** The file in pieces; the last is padded with zeros to whole blocks, as a payload's partitions are. */
async function* windows(file: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ;) {
    const window = Buffer.alloc(WINDOW_BLOCKS * BLOCK_BYTES);
    const {bytesRead} = await file.read(window, 0, window.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield window.subarray(0, Math.ceil(bytesRead / BLOCK_BYTES) * BLOCK_BYTES);
  }
}

/** Consecutive blocks in one extent, in the order given. */
function extentsOf(blocks: readonly number[]): Extent[] {
  const extents: Extent[] = [];
  for (const block of blocks) {
    const last = extents.at(-1);
    if (last !== undefined && last.startBlock + last.blocks === block) last.blocks += 1;
    else extents.push({startBlock: block, blocks: 1});
  }
  return extents;
}

function digestOf(block: Buffer): string {
  return createHash('sha256').update(block).digest('base64');
}

function sha256(...pieces: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
