/** A payload that lies on a disk of this host: for machines that no server reaches. */
import type {KeyObject} from 'node:crypto';
import {open} from 'node:fs/promises';
import {parseProduct} from '../../formats/payload/product.ts';
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import {ByteReader} from '../apply/byte-reader.ts';
import {readHead} from '../apply/head.ts';
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

/**
 * What its manifest says of it, which is not looked at before a trusted key was found to have signed it: a file that
 * somebody brought is no better than what a network brings. Throws PayloadError.
 */
export async function describePayloadFile(
  path: string,
  keys: readonly KeyObject[],
  signal: AbortSignal,
): Promise<{candidate: Candidate; bytes: number}> {
  const reader = new ByteReader(readPayloadFile(path, 0, signal), {
    signal,
    what: path,
    codes: {early: 'truncated', late: 'bad-data'},
  });
  try {
    const {manifest, layout} = await readHead(reader, keys);
    return {candidate: candidateOf(manifest), bytes: layout.totalBytes};
  } finally {
    await reader.close();
  }
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
