/**
 * Payloads: none that differs from the signed one is accepted, and what is behind the signature check holds as well,
 * in case the key is lost.
 */
import {createPublicKey} from 'node:crypto';
import {sourceOf} from '../../formats/byte-source.ts';
import {CodedError} from '../../formats/errors.ts';
import {PAYLOAD_HEADER_BYTES} from '../../formats/payload/header.ts';
import {decodeManifest, encodeManifest} from '../../formats/payload/manifest.ts';
import {decodeSignatures, encodeSignatures} from '../../formats/payload/signatures.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {checkPayload, readMetadata} from '../../payload/metadata.ts';
import {smallPayload} from '../support/small-payload.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const WORK = {signal: new AbortController().signal, onBytes: () => undefined};

export const payloadTarget: FuzzTarget = {
  name: 'payload',
  what: 'payload files, manifests and signature messages',
  async prepare() {
    const {bytes, privateKey} = smallPayload();
    const keys = [createPublicKey(privateKey)];
    const {bytes: metadata, header} = await checkPayload(sourceOf(bytes), keys, WORK);
    const manifest = metadata.subarray(PAYLOAD_HEADER_BYTES);
    const signatures = bytes.subarray(metadata.length, metadata.length + header.metadataSignatureBytes);
    return async (random: Random) => {
      const source = sourceOf(mutate(bytes, random));
      await mustRefuse(() => checkPayload(source, keys, WORK));
      await mayRefuse(() => readMetadata(source, null));
      await mayRefuse(() => manifestAgain(mutate(manifest, random)));
      await mayRefuse(() => signaturesAgain(mutate(signatures, random)));
    };
  },
};

/** What was read must mean the same when it is written and read once more. */
function manifestAgain(bytes: Uint8Array): void {
  const manifest = decodeManifest(bytes);
  const again = encodeManifest(manifest);
  if (!Buffer.from(encodeManifest(decodeManifest(again))).equals(again))
    throw new Error('the manifest changes when it is written and read again');
}

function signaturesAgain(bytes: Uint8Array): void {
  const signatures = decodeSignatures(bytes);
  const again = decodeSignatures(encodeSignatures(signatures));
  if (Buffer.compare(Buffer.concat(signatures), Buffer.concat(again)) !== 0)
    throw new Error('the signatures change when they are written and read again');
}

async function mustRefuse(read: () => Promise<unknown>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (error instanceof CodedError) return;
    throw error;
  }
  throw new Error('a damaged payload was accepted');
}

async function mayRefuse(read: () => unknown): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
  }
}
