/**
 * The host's end of a payload: no damaged one is accepted, nothing is written of one whose damage lies before the first
 * blob, and patches, should a key be lost, make no more than they may.
 */
import {brotliCompressSync} from 'node:zlib';
import {sourceOf} from '../../formats/byte-source.ts';
import {CodedError} from '../../formats/errors.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {DecompressError, decompress} from '../../platform/decompress.ts';
import {applyPatch} from '../../update-engine/apply/patch.ts';
import {apply} from '../support/apply.ts';
import {memoryTarget} from '../support/memory-target.ts';
import {extent} from '../support/payload-sample.ts';
import {buildPayload} from '../support/payload.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const BLOCK = 4096;

export const applyTarget: FuzzTarget = {
  name: 'apply',
  what: 'payloads applied as a host does, full and delta',
  prepare() {
    const old = Buffer.alloc(3 * BLOCK, 'old words ');
    const patch = samplePatch(BLOCK);
    const content = Buffer.concat([
      Buffer.alloc(BLOCK, 'new'),
      old.subarray(0, BLOCK),
      Buffer.alloc(BLOCK),
      patch.made(old),
    ]);
    const {bytes, blobsOffset} = buildPayload([
      {
        name: 'usr',
        old,
        content,
        operations: [
          {type: 'REPLACE', blob: content.subarray(0, BLOCK), dst: [extent(0, 1)]},
          {type: 'SOURCE_COPY', src: [extent(0, 1)], srcBytes: old.subarray(0, BLOCK), dst: [extent(1, 1)]},
          {type: 'ZERO', dst: [extent(2, 1)]},
          {type: 'BROTLI_BSDIFF', blob: patch.bytes, src: [extent(0, 3)], srcBytes: old, dst: [extent(3, 1)]},
        ],
      },
    ]);
    const sources = {usr: sourceOf(old)};
    return Promise.resolve(async (random: Random) => {
      const damaged = mutate(bytes, random);
      const usr = memoryTarget(content.length);
      const isEarly = damaged.compare(bytes, 0, blobsOffset, 0, Math.min(blobsOffset, damaged.length)) !== 0;
      const error = await failureOf(() => apply(damaged, {usr}, {sources}));
      if (error === undefined) throw new Error('a damaged payload was accepted');
      if (!(error instanceof CodedError)) throw error as Error;
      if (isEarly && usr.writes > 0) throw new Error('it was written to before it was trusted');
    });
  },
};

export const patchTarget: FuzzTarget = {
  name: 'patch',
  what: 'bsdiff patches that a lost key has signed',
  prepare() {
    const old = Buffer.alloc(3 * BLOCK, 'old words ');
    const {bytes} = samplePatch(BLOCK);
    return Promise.resolve(async (random: Random) => {
      let made = 0;
      const signal = new AbortController().signal;
      const error = await failureOf(() =>
        applyPatch(mutate(bytes, random), sourceOf(old), {decompress, maxBytes: BLOCK, signal}, (piece) => {
          made += piece.length;
          return Promise.resolve();
        }),
      );
      if (made > BLOCK) throw new Error(`${made} bytes were made`);
      if (error === undefined || error instanceof PayloadError || error instanceof DecompressError) return;
      throw error as Error;
    });
  },
};

/** Control plain, differences brotli, new bytes plain: what needs no program. */
function samplePatch(newBytes: number): {bytes: Buffer; made: (old: Buffer) => Buffer} {
  const triples = [
    [0, 0, 5],
    [1000, 96, -3],
    [newBytes - 1096, 0, 0],
  ] as const;
  const differences = Buffer.alloc(newBytes - 96, 3);
  const extra = Buffer.alloc(96, 'extra');
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(Math.abs(value)) | (value < 0 ? 1n << 63n : 0n));
    return bytes;
  };
  const control = Buffer.concat(triples.flatMap((triple) => triple.map(number)));
  const packed = brotliCompressSync(differences);
  const magic = Buffer.from([...Buffer.from('BSDF2'), 0, 2, 0]);
  const header = Buffer.concat([magic, number(control.length), number(packed.length), number(newBytes)]);
  return {
    bytes: Buffer.concat([header, control, packed, extra]),
    made(old) {
      const add = (from: number, length: number): Buffer =>
        Buffer.from(old.subarray(from, from + length).map((byte) => byte + 3));
      return Buffer.concat([add(5, 1000), extra, add(1002, newBytes - 1096)]);
    },
  };
}

async function failureOf(action: () => Promise<unknown>): Promise<unknown> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return error;
  }
}
