/** The two hashes that run along a payload, and a place in it at which they can be taken up again. */
import {type ResumableHash, createResumableHash} from '../../formats/resumable-hash.ts';
import type {PayloadHead} from './head.ts';
import {type Progress, type ProgressFields, decodeProgress} from './progress.ts';

/** A place between two operations. */
export type Mark = ProgressFields;

export class StreamHashes {
  /** Of what the payload signature covers. */
  readonly signed: ResumableHash;
  /** Of the whole file; null when nobody said what it has to be. */
  readonly file: ResumableHash | null;

  constructor(signed: ResumableHash, file: ResumableHash | null) {
    this.signed = signed;
    this.file = file;
  }

  readonly updateBlob = (bytes: Uint8Array): void => {
    this.signed.update(bytes);
    this.file?.update(bytes);
  };
}

/** Where a payload begins that nothing was done of. */
export async function startMark(head: PayloadHead, needsFileHash: boolean): Promise<Mark> {
  const signed = await createResumableHash();
  signed.update(head.metadata);
  const file = needsFileHash ? await createResumableHash() : null;
  file?.update(head.metadata);
  file?.update(head.metadataSignatures);
  return {
    ...identityOf(head),
    nextOperation: 0,
    nextDataOffset: 0,
    signedHash: signed.save(),
    fileHash: file?.save() ?? null,
  };
}

/** What an earlier run left, if it was of this payload and can be gone on with. */
export async function resumableMark(
  stored: unknown,
  head: PayloadHead,
  needsFileHash: boolean,
): Promise<Mark | null> {
  const progress = decodeProgress(stored);
  if (progress === null || progress.nextOperation === 0 || !isOf(progress, head)) return null;
  if (needsFileHash && progress.fileHash === null) return null;
  const operations = head.manifest.partitions.flatMap((partition) => partition.operations);
  const following = operations.slice(progress.nextOperation).find(({data}) => data !== null);
  const expected = following?.data?.offset ?? head.manifest.signaturesOffset;
  if (progress.nextOperation > operations.length || progress.nextDataOffset !== expected) return null;
  const mark = {...progress, fileHash: needsFileHash ? progress.fileHash : null};
  try {
    await hashesAt(mark);
  } catch {
    // Saved by another library: its state means nothing here.
    return null;
  }
  return mark;
}

export async function hashesAt(mark: Mark): Promise<StreamHashes> {
  const file = mark.fileHash === null ? null : await createResumableHash(mark.fileHash);
  return new StreamHashes(await createResumableHash(mark.signedHash), file);
}

function isOf(progress: Progress, head: PayloadHead): boolean {
  const {metadataSha256, metadataSignaturesSha256, bytes} = identityOf(head);
  return (
    progress.metadataSha256 === metadataSha256 &&
    progress.metadataSignaturesSha256 === metadataSignaturesSha256 &&
    progress.bytes === bytes
  );
}

function identityOf(head: PayloadHead): Pick<Mark, 'metadataSha256' | 'metadataSignaturesSha256' | 'bytes'> {
  return {
    metadataSha256: Buffer.from(head.metadataSha256).toString('hex'),
    metadataSignaturesSha256: head.metadataSignaturesSha256,
    bytes: head.layout.totalBytes,
  };
}
