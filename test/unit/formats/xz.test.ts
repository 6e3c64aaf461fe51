/** What an .xz stream says of its size, and what is not exactly one stream. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {unpackedBytesOfXz} from '../../../formats/xz.ts';
import {xzStreamOf} from '../../support/xz-stream.ts';

/** `printf 'hello\n' | xz --check=crc32`, with xz 5.4. */
const HELLO = Buffer.from(
  '/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQAFaGVsbG8KAAAAIDA6NgABGgbF6sh5kEKZDQEAAAAAAVla',
  'base64',
);

describe('unpackedBytesOfXz', () => {
  it('reads what xz has written', () => {
    assert.equal(unpackedBytesOfXz(HELLO), 6);
    assert.equal(unpackedBytesOfXz(xzStreamOf([])), 0);
  });

  it('adds up the blocks', () => {
    const blocks = [
      {packed: 29, unpacked: 1000},
      {packed: 400, unpacked: 2 ** 40},
    ];
    assert.equal(unpackedBytesOfXz(xzStreamOf(blocks)), 2 ** 40 + 1000);
  });

  it('does not speak of more than one stream, or of less', () => {
    for (const bytes of [
      Buffer.concat([HELLO, HELLO]),
      Buffer.concat([HELLO, Buffer.alloc(4)]),
      Buffer.concat([Buffer.alloc(4), HELLO]),
      Buffer.alloc(0),
      Buffer.alloc(64),
    ])
      assert.equal(unpackedBytesOfXz(bytes), null);
    for (let length = 0; length < HELLO.length; length += 1)
      assert.equal(unpackedBytesOfXz(HELLO.subarray(0, length)), null);
  });

  it('does not speak of an index that does not fit its stream', () => {
    const block = {packed: 40, unpacked: 9};
    for (const bytes of [
      xzStreamOf([block], 2),
      xzStreamOf([block, block], 1),
      xzStreamOf([{packed: 0, unpacked: 9}]),
      xzStreamOf([block], 2 ** 48),
      xzStreamOf([block, {packed: 4, unpacked: 2 ** 53}]),
    ])
      assert.equal(unpackedBytesOfXz(bytes), null);
  });

  it('trusts no bit of header, index and footer that is wrong', () => {
    const indexAt = HELLO.length - 12 - 8;
    for (let at = 0; at < HELLO.length; at += 1) {
      if (at >= 12 && at < indexAt) continue;
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(HELLO);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        assert.equal(unpackedBytesOfXz(changed), null, `byte ${at}, bit ${bit}`);
      }
    }
  });
});
