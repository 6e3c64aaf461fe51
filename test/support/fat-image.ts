/** A FAT32 volume in memory, written field by field, so that a test can break any of them. Clusters of 512 bytes. */
import {type ByteSource, sourceOf} from '../../formats/byte-source.ts';

const SECTOR = 512;
const RESERVED_SECTORS = 2;
const TABLE_SECTORS = 1;
const CLUSTERS = 64;
const DATA_SECTOR = RESERVED_SECTORS + 2 * TABLE_SECTORS;
export const END = 0x0fff_ffff;

export class FatImage {
  readonly bytes = Buffer.alloc((DATA_SECTOR + CLUSTERS) * SECTOR);

  constructor() {
    const boot = this.bytes;
    boot.writeUInt16LE(SECTOR, 11);
    boot.writeUInt8(1, 13);
    boot.writeUInt16LE(RESERVED_SECTORS, 14);
    boot.writeUInt8(2, 16);
    boot.writeUInt32LE(boot.length / SECTOR, 32);
    boot.writeUInt32LE(TABLE_SECTORS, 36);
    boot.writeUInt32LE(2, 44);
    boot.writeUInt16LE(0xaa55, 510);
    this.link(0, 0x0fff_fff8);
    this.link(1, END);
    this.link(2, END);
  }

  get source(): ByteSource {
    return sourceOf(this.bytes);
  }

  /** Sets an entry of both allocation tables, or of one. */
  link(cluster: number, next: number, tables: readonly number[] = [0, 1]): this {
    for (const table of tables)
      this.bytes.writeUInt32LE(next, (RESERVED_SECTORS + table * TABLE_SECTORS) * SECTOR + 4 * cluster);
    return this;
  }

  /** A chain of clusters, in this order. */
  chain(...clusters: number[]): this {
    clusters.forEach((cluster, index) => this.link(cluster, clusters[index + 1] ?? END));
    return this;
  }

  fill(cluster: number, content: Uint8Array): this {
    this.bytes.set(content, (DATA_SECTOR + cluster - 2) * SECTOR);
    return this;
  }
}

export interface EntryFields {
  /** 11 characters, padded. */
  shortName: string;
  attributes?: number;
  cases?: number;
  firstCluster?: number;
  bytes?: number;
}

export function entry({
  shortName,
  attributes = 0x20,
  cases = 0,
  firstCluster = 0,
  bytes = 0,
}: EntryFields): Buffer {
  const raw = Buffer.alloc(32);
  raw.write(shortName.padEnd(11), 'latin1');
  raw.writeUInt8(attributes, 11);
  raw.writeUInt8(cases, 12);
  raw.writeUInt16LE(Math.floor(firstCluster / 0x1_0000), 20);
  raw.writeUInt16LE(firstCluster % 0x1_0000, 26);
  raw.writeUInt32LE(bytes, 28);
  return raw;
}

/** The entries of a long name, followed by that of its short one. */
export function longEntry(name: string, fields: EntryFields): Buffer[] {
  const short = entry(fields);
  const checksum = short
    .subarray(0, 11)
    .reduce((sum, byte) => ((((sum & 1) << 7) | (sum >> 1)) + byte) & 0xff, 0);
  const count = Math.ceil(name.length / 13);
  const pieces = Array.from({length: count}, (_, index) => {
    const raw = Buffer.alloc(32);
    raw.writeUInt8(index + 1 === count ? (index + 1) | 0x40 : index + 1, 0);
    raw.writeUInt8(0x0f, 11);
    raw.writeUInt8(checksum, 13);
    [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].forEach((at, unit) => {
      const place = index * 13 + unit;
      raw.writeUInt16LE(
        place < name.length ? name.charCodeAt(place) : place === name.length ? 0 : 0xffff,
        at,
      );
    });
    return raw;
  });
  return [...pieces.reverse(), short];
}
