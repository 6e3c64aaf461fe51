/** A payload that lies on a disk of this host: for machines that no server reaches. */
import {open} from 'node:fs/promises';
import {PAYLOAD_HEADER_BYTES, decodePayloadHeader} from '../../formats/payload/header.ts';
import {decodeManifest} from '../../formats/payload/manifest.ts';
import {parseProduct} from '../../formats/payload/product.ts';
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import {type ByteSource, readExactly} from '../../formats/byte-source.ts';
import {withByteSource} from '../../platform/files.ts';
import type {Candidate} from '../decide.ts';

const CHUNK_BYTES = 1 << 20;

/** Its bytes from any place on. */
export async function* readPayloadFile(
  path: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    for (let at = offset; ;) {
      signal.throwIfAborted();
      const buffer = new Uint8Array(CHUNK_BYTES);
      const {bytesRead} = await file.read(buffer, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** What it says of itself, before anybody has looked at its signatures: enough to refuse it, not to install it. */
export async function describePayloadFile(path: string): Promise<{candidate: Candidate; bytes: number}> {
  return withByteSource(path, async (source) => ({
    candidate: candidateOf(decodeManifest(await readManifest(source))),
    bytes: source.bytes,
  }));
}

async function readManifest(source: ByteSource): Promise<Uint8Array> {
  const header = decodePayloadHeader(await source.readAt(0, PAYLOAD_HEADER_BYTES));
  return readExactly(source, PAYLOAD_HEADER_BYTES, header.manifestBytes, 'manifest');
}

/** Throws PayloadError when the partitions are not those of a Caisson release, or of different ones. */
export function candidateOf({partitions, maxTimestamp}: Manifest): Candidate {
  const texts = new Set(partitions.map(({version}) => version));
  const [text] = texts;
  if (text === null || text === undefined || texts.size !== 1)
    throw new PayloadError('bad-manifest', `the partitions are of ${[...texts].join(', ') || 'no release'}`);
  const {id, architecture, version} = parseProduct(text);
  return {version, product: id, architecture, maxTimestamp};
}
