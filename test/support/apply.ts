/** Applies payloads from memory, for tests. */
import type {KeyObject} from 'node:crypto';
import {decompress} from '../../platform/decompress.ts';
import {type AppliedPayload, applyPayload} from '../../update-engine/apply/apply.ts';
import type {ApplyOptions} from '../../update-engine/apply/options.ts';
import type {Progress, ProgressKeeper} from '../../update-engine/apply/progress.ts';
import {TEST_KEY} from './payload.ts';

export interface MemoryProgress extends ProgressKeeper {
  saved: Progress[];
  last(): Progress | null;
}

export function memoryProgress(first: Progress | null = null): MemoryProgress {
  const saved: Progress[] = [];
  return {
    saved,
    last: () => saved.at(-1) ?? first,
    load: () => Promise.resolve(saved.at(-1) ?? first),
    save(progress) {
      // Through JSON, as on a disk.
      saved.push(JSON.parse(JSON.stringify(progress)) as Progress);
      return Promise.resolve();
    },
  };
}

/** In pieces of that size; remembers where it was opened. */
export function streamOf(
  bytes: Uint8Array,
  {piece = 1000, opened = []}: {piece?: number; opened?: number[]} = {},
): ApplyOptions['open'] {
  return async function* open(offset, signal) {
    opened.push(offset);
    for (let at = offset; at < bytes.length; at += piece) {
      await Promise.resolve();
      signal.throwIfAborted();
      yield bytes.subarray(at, at + piece);
    }
  };
}

export function apply(
  bytes: Uint8Array,
  targets: ApplyOptions['targets'],
  changes: Partial<ApplyOptions> & {trust?: readonly KeyObject[]} = {},
): Promise<AppliedPayload> {
  const {trust = [TEST_KEY.publicKey], ...rest} = changes;
  return applyPayload({
    open: streamOf(bytes),
    keys: trust,
    accept: () => undefined,
    targets,
    progress: memoryProgress(),
    onProgress: () => undefined,
    signal: new AbortController().signal,
    decompress,
    ...rest,
  });
}
