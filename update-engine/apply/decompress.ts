/**
 * Compressed blobs into bytes. xz and bzip2 run as programs, one for each blob: the bound on what comes out holds for
 * a bomb too, and both processors work when two blobs are under way.
 */
import {PayloadError} from '../../formats/payload/types.ts';
import {type Argv, ExecError, start} from '../../platform/exec.ts';

export type Compression = 'xz' | 'bzip2';

/** Throws PayloadError 'bad-data' for damage and for more than `maxBytes`; ExecError when the program is missing. */
export type Decompress = (
  compression: Compression,
  data: Uint8Array,
  maxBytes: number,
  signal: AbortSignal,
) => Promise<Uint8Array>;

/** `--memlimit` is for dictionaries that a hostile stream asks for; ours need 8 MiB. */
const PROGRAMS: Readonly<Record<Compression, Argv>> = {
  xz: ['xz', '--decompress', '--stdout', '--format=xz', '--memlimit-decompress=100MiB', '--quiet'],
  bzip2: ['bzip2', '--decompress', '--stdout', '--quiet'],
};

export const decompress: Decompress = async (compression, data, maxBytes, signal) => {
  signal.throwIfAborted();
  const child = start(PROGRAMS[compression], {signal});
  // A program that gives up early says why by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(data);
  const out = new Uint8Array(maxBytes);
  let length = 0;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      if (length + chunk.length > maxBytes)
        throw new PayloadError('bad-data', `${compression} data unpacks to more than ${maxBytes} bytes`);
      out.set(chunk, length);
      length += chunk.length;
    }
    await child.finished();
  } catch (error) {
    child.kill('SIGKILL');
    await child.ended;
    signal.throwIfAborted();
    if (error instanceof ExecError && error.code === 'failed')
      throw new PayloadError('bad-data', `${compression} cannot unpack its data: ${error.stderr}`, {
        cause: error,
      });
    throw error;
  }
  return out.subarray(0, length);
};
