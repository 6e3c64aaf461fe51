import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {defineMessage} from '../../../../formats/payload/protobuf.ts';
import {PayloadError} from '../../../../formats/payload/types.ts';
import {fc, succeedsOrThrows} from '../../../support/property.ts';

const SAMPLE = defineMessage('Sample', {
  count: [1, 'uint'],
  flag: [2, 'bool'],
  word: [3, 'fixed32'],
  data: [4, 'bytes'],
  text: [5, 'text'],
  parts: [6, 'messages'],
  hint: [7, 'ignored'],
  never: [8, 'refused'],
  far: [1000, 'uint'],
});

const decode = (...bytes: number[]): ReturnType<typeof SAMPLE.decode> =>
  SAMPLE.decode(Uint8Array.from(bytes));

function refuses(code: string, ...bytes: number[]): void {
  assert.throws(() => decode(...bytes), {name: 'PayloadError', code});
}

describe('defineMessage', () => {
  it('gives back what was encoded', () => {
    const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
      fc.option(arbitrary, {nil: undefined});
    const message = fc.record({
      count: optional(fc.maxSafeNat()),
      flag: optional(fc.boolean()),
      word: optional(fc.nat({max: 0xffff_ffff})),
      data: optional(fc.uint8Array()),
      text: optional(fc.string({unit: 'grapheme'})),
      parts: fc.array(fc.uint8Array()),
      far: optional(fc.nat()),
    });
    fc.assert(
      fc.property(message, (value) => {
        const found = SAMPLE.decode(SAMPLE.encode(value));
        for (const [key, expected] of Object.entries(value))
          assert.deepEqual(found[key as keyof typeof found], expected);
      }),
    );
  });

  it('lets nothing but PayloadError out of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 64}), (bytes) =>
        succeedsOrThrows(PayloadError, () => SAMPLE.decode(bytes)),
      ),
    );
  });

  it('takes fields in any order, and passes over hints', () => {
    assert.equal(decode(0x10, 1, 0x08, 5).count, 5);
    for (const hint of [
      [0x38, 5],
      [0x3a, 1, 9],
      [0x3d, 1, 2, 3, 4],
      [0x39, 1, 2, 3, 4, 5, 6, 7, 8],
    ])
      assert.equal(decode(...hint, 0x08, 5, ...hint).count, 5);
  });

  it('refuses a singular field that is there twice', () => refuses('bad-manifest', 0x08, 5, 0x08, 5));
  it('refuses a field that it does not know', () => refuses('unsupported', 0x48, 5));
  it('refuses a field that is not supported', () => refuses('unsupported', 0x40, 5));
  it('refuses another wire type', () => refuses('bad-manifest', 0x0a, 0));
  it('refuses field 0 and groups', () => {
    refuses('bad-manifest', 0x00, 5);
    refuses('bad-manifest', 0x3b, 0x3c);
  });
  it('refuses a number that is not in its shortest form', () => {
    refuses('bad-manifest', 0x08, 0x85, 0);
    refuses('bad-manifest', 0x88, 0, 5);
    refuses('bad-manifest', 0x22, 0x81, 0, 9);
  });
  it('refuses a number above 2^53-1', () => {
    const most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
    assert.equal(decode(0x08, ...most).count, Number.MAX_SAFE_INTEGER);
    refuses('bad-manifest', 0x08, ...most.slice(0, 7), 0x1f);
    refuses('bad-manifest', 0x08, ...Array.from({length: 9}, () => 0xff), 1);
    refuses('bad-manifest', 0x08, ...Array.from({length: 9}, () => 0xff), 2);
    refuses('bad-manifest', 0x08, ...Array.from({length: 10}, () => 0xff), 1);
  });
  it('refuses a boolean that is neither 0 nor 1', () => refuses('bad-manifest', 0x10, 2));
  it('refuses text that is not UTF-8', () => refuses('bad-manifest', 0x2a, 1, 0xff));
  it('refuses what ends too soon', () => {
    for (const bytes of [[0x08], [0x08, 0x85], [0x22, 2, 1], [0x1d, 1, 2, 3], [0x2a], [0x3d, 1], [0x88]])
      refuses('truncated', ...bytes);
  });
  it('does not write a number that it would not read', () => {
    for (const count of [-1, 0.5, 2 ** 53]) assert.throws(() => SAMPLE.encode({count}), PayloadError);
  });
});
