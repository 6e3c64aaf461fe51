/** How far a payload has come, as a document that outlives the process, and what makes it worth believing. */
import {createHash} from 'node:crypto';
import {z} from '../../formats/schema.ts';

const PROGRESS_VERSION = 1;
const hex = z.string().regex(/^[\da-f]{64}$/);
/** A saved SHA-256 has 156 characters. */
const hashState = z.string().max(1024);

export const progressSchema = z.object({
  version: z.literal(PROGRESS_VERSION),
  /** Of the payload: SHA-256 of header and manifest, and of the metadata signatures behind them; bytes of the file. */
  metadataSha256: hex,
  metadataSignaturesSha256: hex,
  bytes: z.int().positive(),
  /** Counted through all partitions; those before it are written and flushed. */
  nextOperation: z.int().nonnegative(),
  /** Of its blob, or of the next one there is, from the first blob on. */
  nextDataOffset: z.int().nonnegative(),
  /** Of what the payload signature covers, up to there. */
  signedHash: hashState,
  /** Of the file up to there; null when nobody said what it has to be. */
  fileHash: hashState.nullable(),
  /** SHA-256 of the other fields: half a document is none. */
  sum: hex,
});

export type Progress = z.infer<typeof progressSchema>;
export type ProgressFields = Omit<Progress, 'sum' | 'version'>;

export interface ProgressKeeper {
  /** What was saved last; null, or anything, when that is lost. */
  load(): Promise<unknown>;
  /** Resolves once it would survive a power cut. */
  save(progress: Progress): Promise<void>;
}

export function encodeProgress(fields: ProgressFields): Progress {
  return {version: PROGRESS_VERSION, ...fields, sum: sumOf(fields)};
}

/** Null for anything that is not a whole document of this version. */
export function decodeProgress(value: unknown): Progress | null {
  const {data, success} = progressSchema.safeParse(value);
  return success && data.sum === sumOf(data) ? data : null;
}

function sumOf(fields: ProgressFields): string {
  const {metadataSha256, metadataSignaturesSha256, bytes, nextOperation, nextDataOffset} = fields;
  const {signedHash, fileHash} = fields;
  const list = [metadataSha256, metadataSignaturesSha256, bytes, nextOperation, nextDataOffset];
  return createHash('sha256')
    .update(JSON.stringify([PROGRESS_VERSION, ...list, signedHash, fileHash]))
    .digest('hex');
}
