import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeControlTriple, decodePatch} from '../../../../formats/payload/bsdiff.ts';
import {PayloadError} from '../../../../formats/payload/types.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

/** Sign and magnitude, little-endian, as bsdiff's offtout writes it. */
function number(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value < 0n ? -value | (1n << 63n) : value);
  return bytes;
}

function patch(magic: string | Buffer, lengths: readonly bigint[], streams: string): Buffer {
  return Buffer.concat([Buffer.from(magic), ...lengths.map(number), Buffer.from(streams)]);
}

describe('decodePatch', () => {
  it('finds the streams of the classic format', () => {
    const {control, difference, extra, newBytes} = decodePatch(patch('BSDIFF40', [3n, 2n, 77n], 'cccddeeee'));
    assert.deepEqual(
      [control, difference, extra].map(
        ({compression, data}) => `${compression} ${Buffer.from(data).toString()}`,
      ),
      ['bzip2 ccc', 'bzip2 dd', 'bzip2 eeee'],
    );
    assert.equal(newBytes, 77);
  });

  it('finds streams with compressors of their own', () => {
    const magic = Buffer.from([...Buffer.from('BSDF2'), 2, 0, 1]);
    const {control, difference, extra} = decodePatch(patch(magic, [1n, 0n, 5n], 'c'));
    assert.deepEqual(
      [control.compression, difference.compression, extra.compression],
      ['brotli', 'none', 'bzip2'],
    );
    assert.deepEqual([control.data.length, difference.data.length, extra.data.length], [1, 0, 0]);
  });

  const refused: readonly (readonly [string, Buffer])[] = [
    ['31 bytes', patch('BSDIFF40', [0n, 0n, 0n], '').subarray(0, 31)],
    ['another magic', patch('BSDIFF41', [0n, 0n, 0n], '')],
    ['an unknown compressor', patch(Buffer.from([...Buffer.from('BSDF2'), 0, 3, 0]), [0n, 0n, 0n], '')],
    ['a control stream beyond the end', patch('BSDIFF40', [10n, 0n, 1n], 'short')],
    ['streams that together are beyond the end', patch('BSDIFF40', [4n, 4n, 1n], 'short')],
    ['a negative length', patch('BSDIFF40', [-1n, 0n, 1n], 'x')],
    ['a negative new size', patch('BSDIFF40', [0n, 0n, -4096n], '')],
    ['a new size beyond exact numbers', patch('BSDIFF40', [0n, 0n, 2n ** 53n], '')],
  ];
  for (const [what, bytes] of refused)
    it(`refuses ${what}`, () => {
      assert.throws(() => decodePatch(bytes), {code: 'bad-patch'});
    });

  it('lets nothing but its own error out', () => {
    fc.assert(
      fc.property(damaged(patch('BSDIFF40', [3n, 2n, 77n], 'cccddeeee')), (bytes) => {
        succeedsOrThrows(PayloadError, () => decodePatch(bytes));
      }),
    );
  });
});

describe('decodeControlTriple', () => {
  const triple = (...values: readonly bigint[]): Buffer => Buffer.concat(values.map(number));

  it('reads lengths and a seek in either direction', () => {
    assert.deepEqual(decodeControlTriple(triple(10n, 2n, -7n), 12), {add: 10, copy: 2, seek: -7});
    assert.deepEqual(decodeControlTriple(triple(0n, 0n, 7n), 12), {add: 0, copy: 0, seek: 7});
  });

  for (const [what, bytes] of [
    ['more than is left', triple(10n, 3n, 0n)],
    ['a negative run', triple(-1n, 0n, 0n)],
    ['a negative copy', triple(0n, -1n, 0n)],
    ['a huge seek', triple(0n, 0n, 2n ** 60n)],
    ['half a triple', triple(1n, 1n)],
  ] as const)
    it(`refuses ${what}`, () => {
      assert.throws(() => decodeControlTriple(bytes, 12), {code: 'bad-patch'});
    });

  it('refuses minus zero', () => {
    const bytes = triple(1n, 1n, 0n);
    bytes[23] = 0x80;
    assert.throws(() => decodeControlTriple(bytes, 12), {code: 'bad-patch'});
  });
});
