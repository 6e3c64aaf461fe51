import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type ByteSource,
  ByteSourceError,
  readExactly,
  sourceOf,
  windowOf,
} from '../../../formats/byte-source.ts';

const source = sourceOf(Buffer.from('0123456789'));
const read = async (from: ByteSource, offset: number, length: number): Promise<string> =>
  Buffer.from(await from.readAt(offset, length)).toString();

describe('windowOf', () => {
  it('shows its part and nothing beside it', async () => {
    const window = windowOf(source, 3, 4);
    assert.equal(window.bytes, 4);
    assert.equal(await read(window, 0, 100), '3456');
    assert.equal(await read(window, 2, 1), '5');
    assert.equal(await read(window, 4, 1), '');
    assert.equal(await read(windowOf(window, 1, 2), 0, 9), '45');
  });

  it('may reach beyond the end, where nothing is', async () => {
    assert.equal(await read(windowOf(source, 8, 100), 0, 100), '89');
    assert.equal(await read(windowOf(source, 50, 100), 0, 100), '');
  });
});

describe('readExactly', () => {
  it('takes all or throws, with the place', async () => {
    assert.equal(Buffer.from(await readExactly(source, 2, 8, 'x')).toString(), '23456789');
    await assert.rejects(
      readExactly(source, 2, 9, 'the superblock'),
      (error) => error instanceof ByteSourceError && /^the superblock: 8 of 9 bytes at 2/.test(error.message),
    );
  });
});
