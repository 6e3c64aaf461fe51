/** Payloads applied with the programs that a host has: xz and bzip2, and patches that bsdiff made. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {brotliCompressSync} from 'node:zlib';
import {sourceOf} from '../../formats/byte-source.ts';
import {VerityTree, verityLayout} from '../../formats/verity.ts';
import {apply} from '../support/apply.ts';
import {memoryTarget} from '../support/memory-target.ts';
import {extent} from '../support/payload-sample.ts';
import {buildPayload} from '../support/payload.ts';
import {skipWithout} from '../support/tool.ts';

const BLOCK = 4096;

function compress(program: 'xz' | 'bzip2', bytes: Uint8Array): Buffer {
  return execFileSync(program, program === 'xz' ? ['-c', '--check=crc32'] : ['-c'], {
    input: bytes,
    maxBuffer: 1 << 28,
  });
}

function text(blocks: number, word: string): Buffer {
  return Buffer.alloc(blocks * BLOCK, `${word} and more of the same, `);
}

describe('a full payload', {skip: await skipWithout(['xz', 'bzip2'], 'xz-utils, bzip2')}, () => {
  it('becomes its partitions, hash tree included', async () => {
    const data = Buffer.concat([
      text(3, 'xz'),
      Buffer.alloc(2 * BLOCK),
      text(4, 'bzip2'),
      randomBytes(BLOCK),
    ]);
    const salt = Buffer.alloc(32, 7);
    const verity = new VerityTree({salt});
    verity.update(data);
    const {tree} = verity.finish();
    assert.equal(tree.length, verityLayout(10).treeBytes);
    const usr = Buffer.concat([data, text(1, 'superblock'), tree]);
    const kernel = Buffer.concat([Buffer.from('MZ kernel'), Buffer.alloc(BLOCK - 9)]);
    const payload = buildPayload([
      {
        name: 'usr',
        content: usr,
        operations: [
          {type: 'REPLACE', blob: data.subarray(9 * BLOCK), dst: [extent(9, 1)]},
          {type: 'REPLACE_XZ', blob: compress('xz', data.subarray(0, 3 * BLOCK)), dst: [extent(0, 3)]},
          {type: 'ZERO', dst: [extent(3, 1)]},
          {type: 'DISCARD', dst: [extent(4, 1)]},
          {
            type: 'REPLACE_BZ',
            blob: compress(
              'bzip2',
              Buffer.concat([usr.subarray(10 * BLOCK, 11 * BLOCK), data.subarray(5 * BLOCK, 9 * BLOCK)]),
            ),
            dst: [extent(10, 1), extent(5, 4)],
          },
        ],
        hashTree: {data: extent(0, 10), tree: extent(11, 1), algorithm: 'sha256', salt},
      },
      {
        name: 'kernel',
        content: kernel,
        operations: [{type: 'REPLACE', blob: kernel.subarray(0, 9), dst: [extent(0, 1)]}],
      },
    ]);
    const targets = {usr: memoryTarget(usr.length + BLOCK), kernel: memoryTarget(BLOCK)};
    const expected = {bytes: payload.bytes.length, sha256: payload.sha256};
    const applied = await apply(payload.bytes, targets, {expected});
    assert.deepEqual(applied.manifest.partitions.length, 2);
    assert.ok(targets.usr.content().subarray(0, usr.length).equals(usr));
    assert.ok(targets.kernel.content().equals(kernel));
    assert.equal(targets.usr.content()[usr.length], 0xa5, 'wrote beyond the partition');
  });
});

describe('a delta', {skip: await skipWithout(['bsdiff', 'bzip2'], 'bsdiff, bzip2')}, () => {
  it('turns the old partition into the new one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'caisson-bsdiff-'));
    try {
      const old = Buffer.concat([text(300, 'old'), randomBytes(800 * BLOCK)]);
      const changed = Buffer.concat([randomBytes(700), old.subarray(5 * BLOCK), text(2, 'tail')]);
      const fresh = changed.subarray(0, changed.length - (changed.length % BLOCK));
      const bsdiff = (from: Uint8Array, to: Uint8Array): Buffer => {
        const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string];
        writeFileSync(a, from);
        writeFileSync(b, to);
        execFileSync('bsdiff', [a, b, c]);
        return readFileSync(c);
      };
      const [newBlocks, oldBlocks] = [fresh.length / BLOCK, old.length / BLOCK];
      const small = text(2, 'old, but not quite');
      const content = Buffer.concat([fresh, old.subarray(10 * BLOCK, 12 * BLOCK), small]);
      const smallPatch = toBsdf2(bsdiff(old.subarray(0, 2 * BLOCK), small));
      const payload = buildPayload([
        {
          name: 'usr',
          old,
          content,
          operations: [
            {
              type: 'SOURCE_BSDIFF',
              blob: bsdiff(old, fresh),
              src: [extent(0, oldBlocks)],
              srcBytes: old,
              dst: [extent(0, newBlocks)],
            },
            {
              type: 'SOURCE_COPY',
              src: [extent(11, 1), extent(10, 1)],
              srcBytes: Buffer.concat([
                old.subarray(11 * BLOCK, 12 * BLOCK),
                old.subarray(10 * BLOCK, 11 * BLOCK),
              ]),
              dst: [extent(newBlocks + 1, 1), extent(newBlocks, 1)],
            },
            {
              type: 'BROTLI_BSDIFF',
              blob: smallPatch,
              src: [extent(0, 2)],
              srcBytes: old.subarray(0, 2 * BLOCK),
              dst: [extent(newBlocks + 2, 2)],
            },
          ],
        },
      ]);
      const target = memoryTarget(content.length);
      await apply(payload.bytes, {usr: target}, {sources: {usr: sourceOf(old)}});
      assert.ok(target.content().equals(content));
      const wrong = Buffer.from(old);
      wrong[0] = (wrong[0] ?? 0) ^ 1;
      await assert.rejects(
        apply(payload.bytes, {usr: memoryTarget(content.length)}, {sources: {usr: sourceOf(wrong)}}),
        {code: 'wrong-hash'},
      );
      await assert.rejects(apply(payload.bytes, {usr: memoryTarget(content.length)}), {code: 'unsupported'});
    } finally {
      rmSync(folder, {recursive: true});
    }
  });
});

/** The same patch in the other format: control plain, differences brotli, new bytes bzip2. */
function toBsdf2(classic: Buffer): Buffer {
  const [controlBytes, differenceBytes] = [classic.readUInt32LE(8), classic.readUInt32LE(16)];
  const unpack = (from: number, to: number): Buffer =>
    execFileSync('bzip2', ['-dc'], {input: classic.subarray(from, to)});
  const control = unpack(32, 32 + controlBytes);
  const difference = brotliCompressSync(unpack(32 + controlBytes, 32 + controlBytes + differenceBytes));
  const header = Buffer.from(classic.subarray(0, 32));
  header.write('BSDF2', 'latin1');
  header.set([0, 2, 1], 5);
  header.writeBigUInt64LE(BigInt(control.length), 8);
  header.writeBigUInt64LE(BigInt(difference.length), 16);
  return Buffer.concat([header, control, difference, classic.subarray(32 + controlBytes + differenceBytes)]);
}
