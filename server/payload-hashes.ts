/** What the bytes of a payload hash to: by SHA-256 it is named, and SHA-1 is for clients of old; in one reading. */
import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';

export interface PayloadHashes {
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  /** In base64. */
  readonly sha1: string;
}

const CHUNK_BYTES = 1 << 20;

/** Of all that is in the file; it stays open. */
export async function hashPayload(file: FileHandle, signal?: AbortSignal): Promise<PayloadHashes> {
  const [sha256, sha1] = [createHash('sha256'), createHash('sha1')];
  const chunks = file.createReadStream({start: 0, autoClose: false, highWaterMark: CHUNK_BYTES, signal});
  for await (const chunk of chunks) {
    sha256.update(chunk as Buffer);
    sha1.update(chunk as Buffer);
  }
  return {sha256: sha256.digest('hex'), sha1: sha1.digest('base64')};
}
