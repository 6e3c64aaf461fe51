/**
 * How far a payload has come, as it is written down between two operations. Whoever takes it up again trusts only its
 * bookkeeping: what it says was written is read back as a whole in the end.
 */
import {z} from '../../formats/schema.ts';

const count = z.int().nonnegative();

export const progressSchema = z.strictObject({
  format: z.literal('caisson-progress-1'),
  /** SHA-256 of header and manifest, hex. */
  metadataSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of all partitions together, in the order of the manifest. */
  nextOperation: count,
  /** Where its blob begins, from the first blob on. */
  nextDataOffset: count,
  /** States of the hashes over what is signed and over the file, up to there. */
  signedHash: z.string().max(1024),
  fileHash: z.string().max(1024),
});

export type Progress = z.infer<typeof progressSchema>;

export interface ProgressKeeper {
  load(): Promise<Progress | null>;
  save(progress: Progress): Promise<void>;
}
