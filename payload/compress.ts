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

/** `quick` is for trying things out: a tenth of the time, a quarter more bytes. */
export type Effort = 'small' | 'quick';

/** One thread each, so that the bytes do not depend on the machine; CRC32 is what the format asks of xz. */
const XZ: Argv = ['xz', '--format=xz', '--check=crc32', '--threads=1', '--stdout'];
const PROGRAMS: Readonly<Record<Effort, readonly {type: 'REPLACE_XZ' | 'REPLACE_BZ'; argv: Argv}[]>> = {
  small: [
    {type: 'REPLACE_XZ', argv: [...XZ, '-6']},
    {type: 'REPLACE_BZ', argv: ['bzip2', '-9', '--stdout']},
  ],
  quick: [{type: 'REPLACE_XZ', argv: [...XZ, '-0']}],
};
/** Options from the environment would change the bytes. */
const ENV = {XZ_OPT: undefined, XZ_DEFAULTS: undefined, BZIP: undefined, BZIP2: undefined};

/** Of equals the one that is cheaper to unpack. Throws ExecError. */
export async function compressChunk(
  data: Uint8Array,
  effort: Effort,
  signal: AbortSignal,
): Promise<Compressed> {
  let best: Compressed = {type: 'REPLACE', bytes: data};
  for (const {type, argv} of PROGRAMS[effort]) {
    const bytes = await filterBytes(argv, data, {signal, env: ENV});
    if (bytes.length < best.bytes.length) best = {type, bytes};
  }
  return best;
}
