/**
 * SHA-256 that can be put down and taken up again by another process: a download that goes on after a reboot is still
 * hashed as a whole. The one importer of hash-wasm.
 *
 * Rejected: node:crypto, which is several times faster but cannot give its state away; hashing again what is on disk,
 * because a payload is not kept, only what was unpacked from it.
 */
import {createSHA256} from 'hash-wasm';
import {CodedError} from './errors.ts';

export class ResumableHashError extends CodedError<'bad-state'> {}

export interface ResumableHash {
  update(bytes: Uint8Array): void;
  /** All that was hashed so far, in base64; a few hundred characters. */
  save(): string;
  /** 32 bytes. Ends the hash. */
  digest(): Uint8Array;
}

/** A new hash, or the one that `state` was saved from. Throws ResumableHashError for any other text. */
export async function createResumableHash(state: string | null = null): Promise<ResumableHash> {
  const hasher = await createSHA256();
  hasher.init();
  if (state !== null) {
    const bytes = Buffer.from(state, 'base64');
    if (bytes.length !== hasher.save().length || bytes.toString('base64') !== state)
      throw new ResumableHashError(
        'bad-state',
        `a hash state of ${state.length} characters is not of SHA-256`,
      );
    try {
      hasher.load(bytes);
    } catch (error) {
      throw new ResumableHashError('bad-state', 'the hash state is of another library', {cause: error});
    }
  }
  return {
    update: (bytes) => void hasher.update(bytes),
    save: () => Buffer.from(hasher.save()).toString('base64'),
    digest: () => hasher.digest('binary'),
  };
}
