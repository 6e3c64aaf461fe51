/** The two hashes over a payload as it comes: what its signature covers, and the whole file. */
import {type ResumableHash, ResumableHashError, createResumableHash} from '../../formats/resumable-hash.ts';
import type {TrustedMetadata} from './metadata.ts';
import type {Progress, ProgressKeeper} from './progress.ts';

export class Hashes {
  readonly #signed: ResumableHash;
  readonly #file: ResumableHash;

  constructor(signed: ResumableHash, file: ResumableHash) {
    this.#signed = signed;
    this.#file = file;
  }

  /** The next blob. */
  add(bytes: Uint8Array): void {
    this.#signed.update(bytes);
    this.#file.update(bytes);
  }

  /** What is signed nowhere: the signatures. */
  addToFile(bytes: Uint8Array): void {
    this.#file.update(bytes);
  }

  save(): Pick<Progress, 'signedHash' | 'fileHash'> {
    return {signedHash: this.#signed.save(), fileHash: this.#file.save()};
  }

  /** Once only. */
  finish(): {signed: Buffer; file: Buffer} {
    return {signed: this.#signed.digest(), file: this.#file.digest()};
  }
}

export interface ResumePoint {
  hashes: Hashes;
  nextOperation: number;
  nextDataOffset: number;
}

/** Where an earlier run of the same payload has stopped, or the beginning. */
export async function resumeHashes(
  metadata: TrustedMetadata,
  progress: ProgressKeeper,
  operations: number,
): Promise<ResumePoint> {
  const saved = await progress.load();
  const isOurs =
    saved?.metadataSha256 === metadata.sha256 &&
    saved.nextOperation <= operations &&
    saved.nextDataOffset <= metadata.manifest.signaturesOffset;
  if (isOurs) {
    try {
      const {nextOperation, nextDataOffset} = saved;
      const hashes = new Hashes(
        await createResumableHash(saved.signedHash),
        await createResumableHash(saved.fileHash),
      );
      return {hashes, nextOperation, nextDataOffset};
    } catch (error) {
      // Written by another version; the download begins anew.
      if (!(error instanceof ResumableHashError)) throw error;
    }
  }
  return {hashes: await beginHashes(metadata), nextOperation: 0, nextDataOffset: 0};
}

export async function beginHashes({signed, signature}: TrustedMetadata): Promise<Hashes> {
  const [overSigned, overFile] = [await createResumableHash(), await createResumableHash()];
  for (const bytes of signed) {
    overSigned.update(bytes);
    overFile.update(bytes);
  }
  overFile.update(signature);
  return new Hashes(overSigned, overFile);
}
