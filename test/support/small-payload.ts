/** A whole payload of a few kilobytes, in memory, with two partitions and one signature. No compressor is needed. */
import {type KeyObject, createHash, generateKeyPairSync} from 'node:crypto';
import {encodeSignatures} from '../../formats/payload/signatures.ts';
import type {Manifest, Operation} from '../../formats/payload/types.ts';
import {encodeMetadata} from '../../payload/assemble.ts';
import {type Signing, signatureSizesOf, signaturesFor} from '../../payload/signing.ts';
import {extent, operation, sha256} from './payload-sample.ts';

export interface SmallPayload {
  bytes: Buffer;
  privateKey: KeyObject;
  partitions: Readonly<Record<'usr' | 'kernel', Buffer>>;
}

const BLOCK = 4096;

/** `usr` has a block of data, a run of zeros and more data; `kernel` one block that is not full. */
export function smallPayload(): SmallPayload {
  const {privateKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
  const usr = Buffer.alloc(5 * BLOCK);
  usr.fill('data', 0, BLOCK);
  usr.fill('more', 3 * BLOCK);
  const kernel = Buffer.alloc(BLOCK);
  kernel.write('kernel');
  const blobs: Buffer[] = [];
  const replace = (data: Buffer, startBlock: number): Operation => {
    const offset = blobs.reduce((sum, {length}) => sum + length, 0);
    blobs.push(data);
    return operation({
      type: 'REPLACE',
      data: {offset, bytes: data.length, sha256: sha256(data)},
      dstExtents: [extent(startBlock, Math.ceil(data.length / BLOCK))],
    });
  };
  const info = (bytes: Buffer) => ({bytes: bytes.length, sha256: sha256(bytes)});
  const common = {oldInfo: null, hashTree: null, version: 'caisson/x86-64/1.2.3'};
  const partitions: Manifest['partitions'] = [
    {
      ...{name: 'usr', newInfo: info(usr), ...common},
      operations: [
        replace(usr.subarray(0, BLOCK), 0),
        operation({type: 'ZERO', dstExtents: [extent(1, 2)]}),
        replace(usr.subarray(3 * BLOCK), 3),
      ],
    },
    {...{name: 'kernel', newInfo: info(kernel), ...common}, operations: [replace(kernel.subarray(0, 6), 0)]},
  ];
  const body = Buffer.concat(blobs);
  const signing: Signing = {kind: 'keys', privateKeys: [privateKey]};
  const metadata = encodeMetadata(
    {minorVersion: 0, signaturesOffset: body.length, maxTimestamp: 1_795_054_374, partitions},
    signatureSizesOf(signing),
  );
  const sign = (part: 'metadata' | 'payload', ...data: Uint8Array[]): Uint8Array => {
    const digest = createHash('sha256').update(Buffer.concat(data)).digest();
    return encodeSignatures(signaturesFor(signing, part, digest));
  };
  return {
    bytes: Buffer.concat([metadata, sign('metadata', metadata), body, sign('payload', metadata, body)]),
    privateKey,
    partitions: {usr, kernel},
  };
}
