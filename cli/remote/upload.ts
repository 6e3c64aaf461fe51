/**
 * Sends a payload to a release server, in pieces, from where an earlier upload stopped. A piece has to arrive within the
 * half minute that the server gives a request: pieces grow while they go fast, and shrink when one fails.
 */
import {setTimeout as sleep} from 'node:timers/promises';
import {HttpError} from '../../platform/http-error.ts';
import {withByteSource} from '../../platform/files.ts';
import {receivedSchema} from './answers.ts';
import {type Remote, RemoteError, readAnswer} from './client.ts';

export interface Upload {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

const MIN_PIECE_BYTES = 256 * 1024;
const FIRST_PIECE_BYTES = 1 << 20;
const MAX_PIECE_BYTES = 8 << 20;
const FAST_MS = 2000;
const ATTEMPTS = 6;

/** `onBytes` hears of bytes that are there, those from earlier included. Throws RemoteError and HttpError. */
export async function uploadPayload(
  remote: Remote,
  {path, sha256, bytes}: Upload,
  {signal, onBytes}: {readonly signal: AbortSignal; readonly onBytes: (count: number) => void},
): Promise<void> {
  const address = `uploads/${sha256}`;
  const look = async (): Promise<number> =>
    readAnswer(await remote.ask({method: 'GET', path: address}), receivedSchema).received;
  await withByteSource(path, async (source) => {
    let offset = await look();
    let size = FIRST_PIECE_BYTES;
    let failures = 0;
    onBytes(offset);
    while (offset < bytes) {
      const before = offset;
      const startedAt = performance.now();
      try {
        const body = await source.readAt(offset, Math.min(size, bytes - offset));
        const query = {offset: String(offset), bytes: String(bytes)};
        const answer = await remote.ask({method: 'PUT', path: address, query, body});
        offset = readAnswer(answer, receivedSchema).received;
        failures = 0;
        if (performance.now() - startedAt < FAST_MS) size = Math.min(2 * size, MAX_PIECE_BYTES);
      } catch (error) {
        failures += 1;
        if (failures >= ATTEMPTS || !mayGoOn(error)) throw error;
        size = Math.max(size / 4, MIN_PIECE_BYTES);
        await sleep(500 * failures, undefined, {signal});
        offset = await look();
      }
      onBytes(offset - before);
    }
  });
}

/** Whether it is a matter of the connection, or of another upload of the same. */
function mayGoOn(error: unknown): boolean {
  if (error instanceof HttpError) return error.retryable || error.code === 'too-slow';
  if (!(error instanceof RemoteError)) return false;
  return ['other-offset', 'busy'].includes(error.reason) || [408, 502, 503, 504].includes(error.status);
}
