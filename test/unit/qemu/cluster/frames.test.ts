import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  decodeFrameHead,
  encodeFrame,
  FRAME_MAX_BYTES,
  FRAME_MIN_BYTES,
  FrameSplitter,
  isGroupAddress,
} from '../../../../qemu/cluster/frames.ts';
import {QemuError} from '../../../../qemu/errors.ts';
import {fc, succeedsOrThrows} from '../../../support/property.ts';

function isBadFrame(error: unknown): boolean {
  return error instanceof QemuError && error.code === 'bad-frame';
}

describe('encodeFrame', () => {
  it('puts the length before the frame, big-endian', () => {
    const frame = Buffer.alloc(300, 7);
    assert.deepEqual(encodeFrame(frame), Buffer.concat([Buffer.from([0, 0, 1, 44]), frame]));
  });

  for (const length of [0, FRAME_MIN_BYTES - 1, FRAME_MAX_BYTES + 1])
    it(`refuses a frame of ${length} bytes`, () =>
      assert.throws(() => encodeFrame(Buffer.alloc(length)), isBadFrame));
});

describe('FrameSplitter', () => {
  it('gives back what was encoded, in whatever pieces it comes', () => {
    const frame = fc.uint8Array({minLength: FRAME_MIN_BYTES, maxLength: 200});
    const input = fc.record({
      frames: fc.array(frame, {maxLength: 12}),
      pieces: fc.array(fc.integer({min: 1, max: 40}), {minLength: 1}),
    });
    fc.assert(
      fc.property(input, ({frames, pieces}) => {
        const stream = Buffer.concat(frames.map(encodeFrame));
        const splitter = new FrameSplitter();
        const found: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const length = pieces[turn % pieces.length] ?? 1;
          found.push(...splitter.push(stream.subarray(at, at + length)));
          at += length;
        }
        assert.deepEqual(
          found,
          frames.map((bytes) => Buffer.from(bytes)),
        );
      }),
    );
  });

  it('takes frames of the smallest and of the largest length', () => {
    const frames = [Buffer.alloc(FRAME_MIN_BYTES, 1), Buffer.alloc(FRAME_MAX_BYTES, 2)];
    assert.deepEqual(new FrameSplitter().push(Buffer.concat(frames.map(encodeFrame))), frames);
  });

  const lengths = [0, 1, FRAME_MIN_BYTES - 1, FRAME_MAX_BYTES + 1, 0x7fffffff, 0xffffffff];
  for (const length of lengths)
    it(`refuses a length of ${length} before anything of the frame has come`, () => {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      const splitter = new FrameSplitter();
      assert.deepEqual(splitter.push(head.subarray(0, 3)), []);
      assert.throws(() => splitter.push(head.subarray(3)), isBadFrame);
    });

  it('refuses anything else in one way only', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({maxLength: 100}), {maxLength: 10}), (chunks) => {
        const splitter = new FrameSplitter();
        succeedsOrThrows(QemuError, () => chunks.forEach((chunk) => splitter.push(chunk)));
      }),
    );
  });
});

describe('addresses', () => {
  it('stand at the beginning, the destination first', () => {
    const frame = Buffer.from('ffffffffffff525400ca77010806', 'hex');
    assert.deepEqual(decodeFrameHead(frame), {destination: 'ffffffffffff', source: '525400ca7701'});
  });

  const table: [string, boolean][] = [
    ['ffffffffffff', true],
    ['01005e000001', true],
    ['333300000001', true],
    ['525400ca7701', false],
    ['fe5400ca7701', false],
  ];
  for (const [address, isGroup] of table)
    it(`${address} is ${isGroup ? 'for several stations' : "one station's"}`, () =>
      assert.equal(isGroupAddress(address), isGroup));
});
