/**
 * Applies a payload while it comes in: the only way by which bytes from outside reach a slot.
 *
 * The order in which things are believed: the metadata signature, before the manifest is parsed; the manifest, once the
 * caller accepted it; each blob, once its hash matched; the whole, once the payload signature and the hash of each
 * partition, read back from the medium, matched. A byte that is not believed is neither unpacked nor written.
 *
 * Rejected: keeping the payload on disk first, which costs its size in room and the time of a second pass.
 */
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import {ByteReader} from './byte-reader.ts';
import {checkPartitions} from './check-partitions.ts';
import {type PayloadHead, readHead} from './head.ts';
import type {ApplyOptions} from './options.ts';
import {planPayload} from './plan.ts';
import {encodeProgress} from './progress.ts';
import {runOperations} from './run.ts';
import {resumableMark, startMark} from './stream-hashes.ts';
import {SuspectError} from './suspect.ts';

export interface AppliedPayload {
  manifest: Manifest;
  /** Hex, of header and manifest. */
  metadataSha256: string;
}

/**
 * Writes the partitions of a payload to their targets. After any failure or power cut the same call goes on where the
 * last one had come to. Throws PayloadError; errors of the stream, the targets and `accept` unchanged; the signal's
 * reason.
 */
export async function applyPayload(options: ApplyOptions): Promise<AppliedPayload> {
  const {signal, expected, progress} = options;
  const openReader = (offset: number, runSignal: AbortSignal): ByteReader =>
    new ByteReader(options.open(offset, runSignal), {
      signal: runSignal,
      what: 'the payload',
      codes: {early: 'truncated', late: 'bad-data'},
    });
  const head = await readHeadAndClose(openReader(0, signal), options);
  options.accept(head.manifest);
  const plan = await planPayload(head, options);
  const parts = {head, plan, options, openReader};
  const start = await startMark(head, expected !== undefined);
  const resumed = await resumableMark(await progress.load(), head, expected !== undefined);
  for (const mark of resumed === null ? [start] : [resumed, start]) {
    try {
      await runOperations(parts, mark);
      if (options.readBack !== false) await checkPartitions(plan.partitions, signal);
      break;
    } catch (error) {
      if (!(error instanceof SuspectError)) throw error;
      // Whatever was saved led here; the next run, now or later, is to begin with nothing.
      await progress.save(encodeProgress(start));
      if (mark === start) throw error;
    }
  }
  return {manifest: head.manifest, metadataSha256: Buffer.from(head.metadataSha256).toString('hex')};
}

async function readHeadAndClose(reader: ByteReader, {keys, expected}: ApplyOptions): Promise<PayloadHead> {
  try {
    const head = await readHead(reader, keys);
    const {totalBytes} = head.layout;
    if (expected !== undefined && expected.bytes !== totalBytes)
      throw new PayloadError(
        'bad-data',
        `a payload of ${totalBytes} bytes was sent, expected ${expected.bytes}`,
      );
    return head;
  } finally {
    await reader.close();
  }
}
