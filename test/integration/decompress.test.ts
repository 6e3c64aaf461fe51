/** Unpacking with bounds: bombs, damage and giving up cost an error, never memory or a process left behind. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {getEventListeners} from 'node:events';
import {describe, it} from 'node:test';
import {brotliCompressSync, constants} from 'node:zlib';
import {type Compression, DecompressError, decompress} from '../../platform/decompress.ts';
import {apply} from '../support/apply.ts';
import {memoryTarget} from '../support/memory-target.ts';
import {extent} from '../support/payload-sample.ts';
import {buildPayload} from '../support/payload.ts';
import {childPids} from '../support/process-memory.ts';
import {skipWithout} from '../support/tool.ts';

const MIB = 1 << 20;
const PACK: Readonly<Record<Compression, (bytes: Uint8Array) => Uint8Array>> = {
  none: (bytes) => bytes,
  xz: (input) => execFileSync('xz', ['-0', '-c'], {input, maxBuffer: 64 * MIB}),
  bzip2: (input) => execFileSync('bzip2', ['-c'], {input, maxBuffer: 64 * MIB}),
  brotli: (bytes) => brotliCompressSync(bytes, {params: {[constants.BROTLI_PARAM_QUALITY]: 2}}),
};
const signal = new AbortController().signal;

async function unpack(compression: Compression, input: Uint8Array, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decompress(compression, input, {maxBytes, signal})) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('decompress', {skip: await skipWithout(['xz', 'bzip2'], 'xz-utils, bzip2')}, () => {
  const data = Buffer.concat([Buffer.alloc(3 * MIB, 'text '), randomBytes(100_000)]);

  for (const compression of ['none', 'xz', 'bzip2', 'brotli'] as const) {
    it(`gives back what ${compression} packed, and not a byte more than allowed`, async () => {
      const packed = PACK[compression](data);
      assert.ok((await unpack(compression, packed, data.length)).equals(data));
      await assert.rejects(unpack(compression, packed, data.length - 1), {code: 'too-long'});
      assert.deepEqual(childPids(['xz', 'bzip2']), []);
    });

    if (compression === 'none') continue;

    it(`finds ${compression} that is damaged, cut off or something else`, async () => {
      const packed = PACK[compression](data);
      const broken = Buffer.from(packed);
      broken.fill(0x55, Math.floor(packed.length / 2), Math.floor(packed.length / 2) + 20);
      // Brotli has no checksum; the hash of the blob is what finds a wrong bit in it.
      const damagedOnes = compression === 'brotli' ? [] : [broken];
      for (const input of [
        ...damagedOnes,
        packed.subarray(0, packed.length - 9),
        Buffer.from('no such thing'),
        Buffer.alloc(0),
      ])
        await assert.rejects(unpack(compression, input, data.length), DecompressError);
    });

    it(`leaves no ${compression} behind when the loop is left or the caller gives up`, async () => {
      const packed = PACK[compression](randomBytes(2 * MIB));
      for await (const piece of decompress(compression, packed, {maxBytes: 2 * MIB, signal})) {
        assert.ok(piece.length > 0);
        break;
      }
      assert.deepEqual(childPids(['xz', 'bzip2']), []);
      const controller = new AbortController();
      const reason = new Error('enough');
      await assert.rejects(async () => {
        for await (const piece of decompress(compression, packed, {
          maxBytes: 2 * MIB,
          signal: controller.signal,
        })) {
          assert.ok(piece.length > 0);
          controller.abort(reason);
          // Whoever consumes looks at the signal as well.
          if (compression === 'brotli') controller.signal.throwIfAborted();
        }
      }, reason);
      assert.deepEqual(childPids(['xz', 'bzip2']), []);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    });
  }

  it('refuses xz that wants more memory than any honest one', async () => {
    const greedy = execFileSync('xz', ['-c', '--lzma2=preset=0,dict=512MiB', '--threads=1'], {input: data});
    await assert.rejects(unpack('xz', greedy, data.length), {code: 'damaged', message: /[Mm]emory/});
  });
});

describe('a decompression bomb', {skip: await skipWithout(['xz', 'bzip2'], 'xz-utils, bzip2')}, () => {
  for (const type of ['REPLACE_XZ', 'REPLACE_BZ'] as const)
    it(`in ${type} is refused after the bytes that the operation writes`, async () => {
      const blob = PACK[type === 'REPLACE_XZ' ? 'xz' : 'bzip2'](Buffer.alloc(60 * MIB));
      const blocks = 64;
      const content = Buffer.alloc(blocks * 4096);
      const {bytes} = buildPayload([
        {name: 'usr', content, operations: [{type, blob, dst: [extent(0, blocks)]}]},
      ]);
      const before = process.memoryUsage().rss;
      await assert.rejects(apply(bytes, {usr: memoryTarget(content.length)}), {code: 'bad-data'});
      assert.ok(process.memoryUsage().rss - before < 30 * MIB);
      assert.deepEqual(childPids(['xz', 'bzip2']), []);
    });

  it('that ends too early is refused as well', async () => {
    const content = Buffer.alloc(64 * 4096);
    const blob = PACK.xz(content.subarray(4096));
    const operations = [{type: 'REPLACE_XZ' as const, blob, dst: [extent(0, 64)]}];
    const {bytes} = buildPayload([{name: 'usr', content, operations}]);
    await assert.rejects(apply(bytes, {usr: memoryTarget(content.length)}), {code: 'bad-data'});
  });
});

describe('giving up in the middle', {skip: await skipWithout(['xz'], 'xz-utils')}, () => {
  it('ends the programs before the call ends', async () => {
    const content = randomBytes(16 * MIB);
    const operations = Array.from({length: 4}, (_, index) => {
      const part = Buffer.concat([content.subarray(index * 4 * MIB, (index + 1) * 4 * MIB)]);
      part.fill(0, 0, 2 * MIB);
      content.set(part, index * 4 * MIB);
      return {type: 'REPLACE_XZ' as const, blob: PACK.xz(part), dst: [extent(index * 1024, 1024)]};
    });
    const {bytes} = buildPayload([{name: 'usr', content, operations}]);
    for (const stopAt of [1, 3, 9]) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const target = memoryTarget(content.length);
      let writes = 0;
      const usr = {
        ...target,
        bytes: target.bytes,
        async writeAt(offset: number, data: Uint8Array) {
          writes += 1;
          if (writes === stopAt) controller.abort(reason);
          await target.writeAt(offset, data);
        },
      };
      await assert.rejects(apply(bytes, {usr}, {signal: controller.signal}), reason);
      assert.deepEqual(childPids(['xz', 'bzip2']), []);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    }
  });
});
