/** A part of the disk as the target of a payload, and writes that leave runs of zeros to the disk. */
import type {Target} from '../slots/target.ts';
import type {InstallDisk} from './disk.ts';
import type {Place} from './plan.ts';

/** Shorter runs are cheaper as part of a write. */
const RUN_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(RUN_BYTES);

/**
 * Writes bytes whose long runs of zeros are zeroed, or left alone where the disk `is-blank` already. What was there
 * before is gone in either case.
 */
export async function writeSparse(
  disk: Pick<InstallDisk, 'writeAt' | 'zero'>,
  offset: number,
  bytes: Uint8Array,
  before: 'unknown' | 'is-blank',
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const isZero = isZeros(bytes, at);
    let end = at;
    while (end < bytes.length && isZeros(bytes, end) === isZero)
      end = Math.min(end + RUN_BYTES, bytes.length);
    if (!isZero) await disk.writeAt(offset + at, bytes.subarray(at, end));
    else if (before === 'unknown') await disk.zero(offset + at, end - at);
    at = end;
  }
}

function isZeros(bytes: Uint8Array, at: number): boolean {
  const run = bytes.subarray(at, at + RUN_BYTES);
  return Buffer.compare(run, ZEROS.subarray(0, run.length)) === 0;
}

export function regionTarget(disk: InstallDisk, {offset: start, bytes}: Place): Target {
  return {
    bytes,
    writeAt(offset, data) {
      if (offset < 0 || offset + data.length > bytes)
        throw new RangeError(`bytes ${offset} to ${offset + data.length} of a place of ${bytes}`);
      return writeSparse(disk, start + offset, data, 'unknown');
    },
    readAt: (offset, length) => disk.readAt(start + offset, Math.max(0, Math.min(length, bytes - offset))),
    flush: () => disk.flush(),
    settle: () => disk.settle(),
  };
}
