/** Bytes with a few faults in them, as a broken medium or a hostile writer makes them. Never the same as before. */
import type {Random} from './random.ts';

/** Values at which length checks go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const MAX_FAULTS = 4;
const MAX_RUN_BYTES = 64;

type Fault = (bytes: Buffer, random: Random) => Buffer;

const FAULTS: readonly Fault[] = [
  function flipBit(bytes, random) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  function setEdge(bytes, random) {
    const width = [1, 2, 4][random.below(3)] ?? 1;
    if (bytes.length < width) return bytes;
    const value = (EDGES[random.below(EDGES.length)] ?? 0) % 2 ** (8 * width);
    const at = random.below(bytes.length - width + 1);
    if (random.below(2) === 0) bytes.writeUIntBE(value, at, width);
    else bytes.writeUIntLE(value, at, width);
    return bytes;
  },
  function insert(bytes, random) {
    const at = random.below(bytes.length + 1);
    const run = Buffer.from(Array.from({length: 1 + random.below(8)}, () => random.below(256)));
    return Buffer.concat([bytes.subarray(0, at), run, bytes.subarray(at)]);
  },
  function remove(bytes, random) {
    const at = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(MAX_RUN_BYTES))]);
  },
  function repeat(bytes, random) {
    const at = random.below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + random.below(MAX_RUN_BYTES));
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
  },
  function move(bytes, random) {
    const from = random.below(bytes.length);
    const run = Buffer.from(bytes.subarray(from, from + 1 + random.below(MAX_RUN_BYTES)));
    const at = random.below(bytes.length);
    bytes.set(run.subarray(0, bytes.length - at), at);
    return bytes;
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length));
  },
];

export function mutate(original: Uint8Array, random: Random): Buffer {
  for (;;) {
    let bytes: Buffer = Buffer.from(original);
    for (let left = 1 + random.below(MAX_FAULTS); left > 0 && bytes.length > 0; left -= 1)
      bytes = FAULTS[random.below(FAULTS.length)]?.(bytes, random) ?? bytes;
    if (!bytes.equals(original)) return bytes;
  }
}
