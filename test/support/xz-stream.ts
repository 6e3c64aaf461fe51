/** .xz streams put together by hand: an index may say what is not so. */
import {crc32} from 'node:zlib';

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];
export const XZ_HEADER_BYTES = 12;

/** Sizes that the index gives for a block. */
export interface XzRecord {
  packed: number;
  unpacked: number;
}

/** `body` holds the blocks; without it they are zeros. Checks are CRC32. */
export function xzStreamOf(records: readonly XzRecord[], count = records.length, body?: Uint8Array): Buffer {
  const flags = [0, 1];
  const bytes = records.reduce((sum, {packed}) => sum + Math.ceil(packed / 4) * 4, 0);
  const list = records.flatMap(({packed, unpacked}) => [...number(packed), ...number(unpacked)]);
  const indexed = [0, ...number(count), ...list];
  while (indexed.length % 4 !== 0) indexed.push(0);
  const index = withCrc(indexed);
  const sizes = Buffer.alloc(4);
  sizes.writeUInt32LE(index.length / 4 - 1);
  const tail = withCrc([...sizes, ...flags]);
  const header = [Buffer.from(HEADER_MAGIC), withCrc(flags)];
  const footer = [tail.subarray(-4), tail.subarray(0, 6), Buffer.from('YZ')];
  return Buffer.concat([...header, body ?? Buffer.alloc(bytes), index, ...footer]);
}

function number(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(Math.floor(value / 0x80))];
}

function withCrc(bytes: readonly number[]): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(Buffer.from(bytes)));
  return Buffer.concat([Buffer.from(bytes), crc]);
}
