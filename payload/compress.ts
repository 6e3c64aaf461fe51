/**
 * One chunk, as small as it gets: raw, by bzip2, or by xz.
 *
 * By processes, because they keep all processors busy without a line of native code in this one. The x86 filter of xz
 * was rejected: readers of this format other than ours need not have it.
 */
import type {Argv} from '../platform/exec.ts';
import {filterBytes} from '../platform/filter.ts';

export interface Compressed {
  type: 'REPLACE' | 'REPLACE_BZ' | 'REPLACE_XZ';
  bytes: Uint8Array;
}

/** One thread each, so that the bytes do not depend on the machine; CRC32 is what the format asks of xz. */
const PROGRAMS: Readonly<Record<'REPLACE_XZ' | 'REPLACE_BZ', Argv>> = {
  REPLACE_XZ: ['xz', '--format=xz', '--check=crc32', '--threads=1', '-6', '--stdout'],
  REPLACE_BZ: ['bzip2', '-9', '--stdout'],
};
/** Options from the environment would change the bytes. */
const ENV = {XZ_OPT: undefined, XZ_DEFAULTS: undefined, BZIP: undefined, BZIP2: undefined};

/** Of equals the one that is cheaper to unpack. Throws ExecError. */
export async function compressChunk(data: Uint8Array, signal: AbortSignal): Promise<Compressed> {
  let best: Compressed = {type: 'REPLACE', bytes: data};
  for (const type of ['REPLACE_XZ', 'REPLACE_BZ'] as const) {
    const bytes = await filterBytes(PROGRAMS[type], data, {signal, env: ENV});
    if (bytes.length < best.bytes.length) best = {type, bytes};
  }
  return best;
}
