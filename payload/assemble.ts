/**
 * The parts of a payload as one file: header, manifest, metadata signatures, blobs, payload signatures. Nothing appears
 * under the file's name that was not read back and found to be signed by every key it should be signed by.
 */
import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {type ByteSource, readExactly} from '../formats/byte-source.ts';
import {encodePayloadHeader} from '../formats/payload/header.ts';
import {encodeManifest} from '../formats/payload/manifest.ts';
import {encodeSignatures, signaturesBytesOf} from '../formats/payload/signatures.ts';
import type {Manifest} from '../formats/payload/types.ts';
import {withByteSource} from '../platform/files.ts';
import {writeAll, writeNewFile} from '../platform/new-file.ts';
import {checkPayload, readMetadata} from './metadata.ts';
import {type Signing, publicKeysOf, signatureSizesOf, signaturesFor} from './signing.ts';

const COPY_BYTES = 1 << 20;

export interface Work {
  signal: AbortSignal;
  onBytes: (count: number) => void;
}

export interface WrittenPayload {
  bytes: number;
  /** Of the whole file, hex, as an update server announces it. */
  sha256: string;
  /** Header and manifest. */
  metadataBytes: number;
  manifest: Manifest;
}

/**
 * Header and manifest for signatures of these sizes: the manifest says how long they are, so this comes before signing.
 */
export function encodeMetadata(
  manifest: Omit<Manifest, 'signaturesBytes'>,
  sizes: readonly number[],
): Uint8Array {
  const signaturesBytes = signaturesBytesOf(sizes);
  const body = encodeManifest({...manifest, signaturesBytes});
  const header = encodePayloadHeader({
    manifestBytes: body.length,
    metadataSignatureBytes: signaturesBytes,
  });
  return Buffer.concat([header, body]);
}

/**
 * Writes a payload. `metadata` is what encodeMetadata gave for the sizes of `signing`; `blobs` are all blobs and nothing
 * else. Throws MakePayloadError, PayloadError; then nothing is written.
 */
export async function writePayload(
  path: string,
  {metadata, blobs, signing}: {metadata: Uint8Array; blobs: ByteSource; signing: Signing},
  work: Work,
): Promise<WrittenPayload> {
  const sizes = signatureSizesOf(signing);
  let manifest: Manifest | undefined;
  const written = await writeNewFile(
    path,
    async (file) => {
      const out = new HashedFile(file);
      const signed = createHash('sha256').update(metadata);
      await out.write(metadata);
      const metadataDigest = createHash('sha256').update(metadata).digest();
      await out.write(encodeSignatures(signaturesFor(signing, 'metadata', metadataDigest)));
      for (let at = 0; at < blobs.bytes; at += COPY_BYTES) {
        work.signal.throwIfAborted();
        const piece = await readExactly(blobs, at, Math.min(COPY_BYTES, blobs.bytes - at), 'blobs');
        signed.update(piece);
        await out.write(piece);
        work.onBytes(piece.length);
      }
      await out.write(encodeSignatures(signaturesFor(signing, 'payload', signed.digest())));
      return {bytes: out.bytes, sha256: out.digest()};
    },
    async (temporary) => {
      const keys = publicKeysOf(signing);
      const isDraft = signing.kind === 'draft';
      await withByteSource(temporary, async (source) => {
        ({manifest} = await (isDraft ? readMetadata(source, null) : checkPayload(source, keys, work)));
      });
    },
  );
  if (manifest === undefined || manifest.signaturesBytes !== signaturesBytesOf(sizes))
    throw new Error('a payload was written for signatures of other sizes');
  return {...written, metadataBytes: metadata.length, manifest};
}

class HashedFile {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  bytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#file, bytes, this.bytes);
    this.#hash.update(bytes);
    this.bytes += bytes.length;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** Header and manifest of an existing payload, for signatures of other sizes if need be. */
export function metadataFor(
  {manifest, bytes}: {manifest: Manifest; bytes: Uint8Array},
  metadataSignatureBytes: number,
  sizes: readonly number[],
): Uint8Array {
  const wanted = signaturesBytesOf(sizes);
  const fits = manifest.signaturesBytes === wanted && metadataSignatureBytes === wanted;
  // Byte for byte where that is possible: a signature that was made elsewhere is of these bytes.
  return fits ? bytes : encodeMetadata(manifest, sizes);
}
