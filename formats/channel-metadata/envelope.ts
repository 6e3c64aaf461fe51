/**
 * The envelope of a signed document: DSSE 1.0 (github.com/secure-systems-lab/dsse), one file with the exact bytes and
 * their signatures, so that nobody ever sees the document of one moment with the signatures of another. What is signed
 * names its type as well; a signature of anything else, a payload say, is none of this.
 *
 * Rejected: a signature file beside the document, which a mirror copies a moment earlier or later; and a signature over
 * JSON values, which needs one canonical way to write them.
 */
import {type KeyObject, createHash} from 'node:crypto';
import {keyFingerprint} from '../payload/keys.ts';
import {isSignedBy, signDigest} from '../payload/signatures.ts';
import {describeIssues, z} from '../schema.ts';
import {KIB} from '../units.ts';
import {ChannelMetadataError} from './errors.ts';

export const CHANNEL_PAYLOAD_TYPE = 'application/vnd.caisson.channel+json';
/** Of a document; a hundred releases and five hundred groups have some 100 kB. */
export const MAX_DOCUMENT_BYTES = 192 * KIB;
/** Of the file. */
export const MAX_ENVELOPE_BYTES = 288 * KIB;
const MAX_SIGNATURES = 8;
/** Of an RSA key of 8192 bits, in base64. */
const MAX_SIGNATURE_CHARACTERS = 1368;

const base64 = (characters: number): z.ZodString =>
  z
    .string()
    .max(characters)
    .regex(/^[A-Za-z0-9+/]+={0,2}$/, 'not base64');

const envelopeSchema = z.strictObject({
  payloadType: z.literal(CHANNEL_PAYLOAD_TYPE),
  payload: base64(MAX_ENVELOPE_BYTES),
  signatures: z
    .array(
      z.strictObject({
        /** SHA-256 of the key as SubjectPublicKeyInfo in DER. A hint for people: every trusted key is tried. */
        keyid: z.string().regex(/^[0-9a-f]{64}$/, 'not a fingerprint'),
        sig: base64(MAX_SIGNATURE_CHARACTERS),
      }),
    )
    .min(1)
    .max(MAX_SIGNATURES),
});

export interface OpenedEnvelope {
  /** Exactly what was signed. */
  readonly payload: Buffer;
  /** Fingerprint of the key whose signature was found. */
  readonly signedBy: string;
}

/** The file: signed by each of these keys, the same bytes every time. */
export function sealEnvelope(payload: Uint8Array, privateKeys: readonly KeyObject[]): Buffer {
  const digest = digestOf(payload);
  const envelope = {
    payloadType: CHANNEL_PAYLOAD_TYPE,
    payload: Buffer.from(payload).toString('base64'),
    signatures: privateKeys.map((key) => ({
      keyid: keyFingerprint(key),
      sig: Buffer.from(signDigest(digest, key)).toString('base64'),
    })),
  };
  return Buffer.from(`${JSON.stringify(envelope, undefined, 2)}\n`);
}

/** Throws ChannelMetadataError 'bad-envelope' or 'untrusted'. One signature by one trusted key is enough. */
export function openEnvelope(bytes: Uint8Array, keys: readonly KeyObject[]): OpenedEnvelope {
  const {payload, signatures} = decode(bytes);
  const digest = digestOf(payload);
  const signer = keys.find((key) => signatures.some(({sig}) => isSignedBy(digest, sig, key)));
  if (signer !== undefined) return {payload, signedBy: keyFingerprint(signer)};
  const names = signatures.map(({keyid}) => `${keyid.slice(0, 16)}...`).join(', ');
  throw new ChannelMetadataError(
    'untrusted',
    `it is not signed by any of ${keys.length} trusted channel keys, but by ${names}`,
  );
}

/** What it holds, believed or not: for the signer's own files. Throws ChannelMetadataError 'bad-envelope'. */
export function readEnvelope(bytes: Uint8Array): {
  readonly payload: Buffer;
  readonly keyIds: readonly string[];
} {
  const {payload, signatures} = decode(bytes);
  return {payload, keyIds: signatures.map(({keyid}) => keyid)};
}

function decode(bytes: Uint8Array): {
  payload: Buffer;
  signatures: readonly {readonly keyid: string; readonly sig: Buffer}[];
} {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw bad(`${bytes.length} bytes, more than ${MAX_ENVELOPE_BYTES}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch (error) {
    throw bad('it is not JSON', error);
  }
  const result = envelopeSchema.safeParse(value);
  if (!result.success) throw bad(describeIssues(result.error));
  return {
    payload: decodeBase64(result.data.payload),
    signatures: result.data.signatures.map(({keyid, sig}) => ({keyid, sig: decodeBase64(sig)})),
  };
}

/** Of the several spellings of the same bytes only the usual one. */
function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw bad('base64 that nobody writes');
  return bytes;
}

/** SHA-256 of the pre-authentication encoding: type and bytes, each with its length before it. */
function digestOf(payload: Uint8Array): Buffer {
  const type = Buffer.from(CHANNEL_PAYLOAD_TYPE);
  return createHash('sha256')
    .update(`DSSEv1 ${type.length} `)
    .update(type)
    .update(` ${payload.length} `)
    .update(payload)
    .digest();
}

function bad(problem: string, cause?: unknown): ChannelMetadataError {
  return new ChannelMetadataError('bad-envelope', `it is no signed channel: ${problem.slice(0, 400)}`, {
    cause,
  });
}
