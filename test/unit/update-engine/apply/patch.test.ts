import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {sourceOf} from '../../../../formats/byte-source.ts';
import {decompress} from '../../../../platform/decompress.ts';
import {applyPatch} from '../../../../update-engine/apply/patch.ts';

type Triple = readonly [add: number, copy: number, seek: number];

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(Math.abs(value)) | (value < 0 ? 1n << 63n : 0n));
  return bytes;
}

/** A BSDF2 patch whose streams are not compressed. */
function patchOf(triples: readonly Triple[], differences: string, extra: string, newBytes: number): Buffer {
  const control = Buffer.concat(triples.flatMap((triple) => triple.map(number)));
  const [difference, tail] = [Buffer.from(differences, 'latin1'), Buffer.from(extra, 'latin1')];
  const magic = Buffer.from([...Buffer.from('BSDF2'), 0, 0, 0]);
  const header = [magic, number(control.length), number(difference.length), number(newBytes)];
  return Buffer.concat([...header, control, difference, tail]);
}

async function patched(patch: Buffer, old: string, maxBytes = 4096): Promise<string> {
  const pieces: Uint8Array[] = [];
  const signal = new AbortController().signal;
  await applyPatch(patch, sourceOf(Buffer.from(old, 'latin1')), {decompress, maxBytes, signal}, (piece) => {
    pieces.push(Uint8Array.from(piece));
    return Promise.resolve();
  });
  return Buffer.concat(pieces).toString('latin1');
}

const ZEROS = (count: number): string => '\0'.repeat(count);

describe('applyPatch', () => {
  it('adds differences to old bytes, takes new ones, and moves', async () => {
    const patch = patchOf(
      [
        [0, 0, 4],
        [3, 2, -5],
        [2, 0, 0],
      ],
      `\x01\x01\x01${ZEROS(2)}`,
      'XY',
      7,
    );
    assert.equal(await patched(patch, '0123abcd'), 'bcdXY23');
  });

  it('adds modulo 256', async () => {
    assert.equal(await patched(patchOf([[2, 0, 0]], '\xff\x02', '', 2), '\x01\xff'), '\x00\x01');
  });

  it('takes bytes before and behind the old file for zeros', async () => {
    const patch = patchOf(
      [
        [0, 0, -2],
        [4, 0, 0],
      ],
      'abcd',
      '',
      4,
    );
    assert.equal(await patched(patch, '\x01\x01'), 'abde');
    assert.equal(await patched(patchOf([[4, 0, 0]], 'abcd', '', 4), '\x01'), 'bbcd');
    assert.equal(
      await patched(
        patchOf(
          [
            [0, 0, 900],
            [2, 0, 0],
          ],
          'ab',
          '',
          2,
        ),
        '\x01',
      ),
      'ab',
    );
  });

  it('makes an empty file of an empty patch', async () => {
    assert.equal(await patched(patchOf([], '', '', 0), 'old'), '');
  });

  const idle = Array.from({length: 40}, (): Triple => [0, 0, 1]);
  for (const [what, patch, maxBytes] of [
    ['more bytes than the operation writes', patchOf([[2, 0, 0]], 'ab', '', 2), 1],
    ['a control stream that ends too early', patchOf([[1, 0, 0]], 'ab', '', 2), 9],
    [
      'a control stream that goes on',
      patchOf(
        [
          [2, 0, 0],
          [0, 0, 0],
        ],
        'ab',
        '',
        2,
      ),
      9,
    ],
    ['too few differences', patchOf([[2, 0, 0]], 'a', '', 2), 9],
    ['too few new bytes', patchOf([[0, 2, 0]], '', 'a', 2), 9],
    ['new bytes that nobody takes', patchOf([[1, 1, 0]], 'a', 'xyz', 2), 9],
    ['a run beyond the new file', patchOf([[3, 0, 0]], 'abc', '', 2), 9],
    [
      'positions that no number holds',
      patchOf(
        [
          [0, 0, 2 ** 53 - 1],
          [0, 0, 2 ** 53 - 1],
          [1, 0, 0],
        ],
        'a',
        '',
        1,
      ),
      9,
    ],
    ['no patch at all', Buffer.from('hello'), 9],
  ] as const)
    it(`refuses ${what}`, async () => {
      await assert.rejects(patched(patch, 'old', maxBytes), {name: /PayloadError|DecompressError/});
    });

  it('refuses triples without end that make nothing', async () => {
    await assert.rejects(patched(patchOf(idle, '', '', 2), 'old'), {code: 'too-long'});
  });
});
