/**
 * A disk in memory that writes down what is written to it, in order and with its flushes, so that a test can cut the
 * power at any point and see what is left; or that fails an operation of the test's choice.
 *
 * A flush counts only for the device that it was given to (the whole disk, or one partition), as with the page cache of
 * Linux, which keeps each apart.
 */
import {createHash} from 'node:crypto';
import {type GptDisk, readGpt} from '../../platform/gpt-disk.ts';
import {type SlotDisk, type SlotPartition, findPartition} from '../../update-engine/slots/slot-disk.ts';
import type {Target} from '../../update-engine/slots/target.ts';

export const SECTOR = 512;

/** A sector that differs from the base. */
interface Sector {
  bytes: Uint8Array;
  /** Of place and content, to tell states apart by their sum. */
  digest: bigint;
}

/** What a disk held at first; bytes in memory, or something that makes them up. */
export interface DiskBase {
  readonly length: number;
  subarray(from: number, to: number): Uint8Array;
}

/** Content of a disk: a base that many share, and the sectors that differ from it. */
export class DiskImage {
  readonly base: DiskBase;
  readonly #changed: Map<number, Sector>;

  constructor(base: DiskBase, changed: Iterable<[number, Sector]> = []) {
    this.base = base;
    this.#changed = new Map(changed);
  }

  clone(): DiskImage {
    return new DiskImage(this.base, this.#changed);
  }

  /** Equal for equal content. */
  get key(): string {
    let key = 0n;
    for (const {digest} of this.#changed.values()) key ^= digest;
    return key.toString(16);
  }

  /** Equal for equal content of this part. */
  keyOf(offset: number, bytes: number): string {
    let key = 0n;
    for (const [sector, {digest}] of this.#changed)
      if (sector * SECTOR >= offset && sector * SECTOR < offset + bytes) key ^= digest;
    return key.toString(16);
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(this.base.subarray(offset, offset + length));
    const first = Math.floor(offset / SECTOR);
    for (let sector = first; sector * SECTOR < offset + length; sector += 1) {
      const changed = this.#changed.get(sector)?.bytes;
      if (changed === undefined) continue;
      const from = Math.max(offset - sector * SECTOR, 0);
      const to = Math.min(SECTOR, offset + length - sector * SECTOR);
      bytes.set(changed.subarray(from, to), sector * SECTOR + from - offset);
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const sector = Math.floor((offset + at) / SECTOR);
      const within = offset + at - sector * SECTOR;
      const piece = bytes.subarray(at, at + SECTOR - within);
      this.#set(sector, within, piece);
      at += piece.length;
    }
  }

  #set(sector: number, within: number, piece: Uint8Array): void {
    const bytes = this.read(sector * SECTOR, SECTOR);
    bytes.set(piece, within);
    const before = this.base.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    if (Buffer.compare(before, bytes) === 0) {
      this.#changed.delete(sector);
      return;
    }
    const digest = createHash('sha256').update(`${sector} `).update(bytes).digest().readBigUInt64LE();
    this.#changed.set(sector, {bytes, digest});
  }
}

export type Scope = 'table' | SlotPartition;
export type Recorded =
  /** `offset` counts from the start of the disk. */
  | {kind: 'write'; scope: Scope; step: string; offset: number; bytes: Uint8Array}
  | {kind: 'flush'; scope: Scope; step: string}
  /** Elsewhere, and safely: what the next try will be told. */
  | {kind: 'remember'; value: unknown};
export interface Operation {
  kind: 'read' | 'write' | 'flush';
  scope: Scope;
  step: string;
}

export class RecordingDisk implements SlotDisk {
  readonly path = 'a disk in memory';
  readonly image: DiskImage;
  readonly log: Recorded[] = [];
  /** What is going on; goes into the log. */
  step = '';
  /** May throw. */
  before: (operation: Operation) => void = () => undefined;

  constructor(image: DiskImage) {
    this.image = image;
  }

  remember(value: unknown): void {
    this.log.push({kind: 'remember', value});
  }

  async useTable<T>(_mode: string, use: (disk: GptDisk) => Promise<T>): Promise<T> {
    const bytes = this.image.base.length;
    return use({sectorSize: SECTOR, diskSectors: BigInt(bytes / SECTOR), ...this.#window('table', 0, bytes)});
  }

  async usePartition<T>(
    partition: SlotPartition,
    _mode: string,
    use: (target: Target) => Promise<T>,
  ): Promise<T> {
    const {offset, bytes} = await this.placeOf(partition);
    return use(this.#window(partition, offset, bytes));
  }

  async placeOf(partition: SlotPartition): Promise<{offset: number; bytes: number}> {
    const {table} = await this.useTable('read', readGpt);
    const {entry} = findPartition(table, partition);
    return {
      offset: Number(entry.firstLba) * SECTOR,
      bytes: Number(entry.lastLba - entry.firstLba + 1n) * SECTOR,
    };
  }

  #window(scope: Scope, start: number, bytes: number): Target {
    const begin = (kind: Operation['kind']): void => this.before({kind, scope, step: this.step});
    const act = <T>(kind: Operation['kind'], action: () => T): Promise<T> =>
      new Promise((resolve) => {
        begin(kind);
        resolve(action());
      });
    const flush = (): Promise<void> =>
      act('flush', () => {
        this.log.push({kind: 'flush', scope, step: this.step});
      });
    return {
      bytes,
      readAt: (offset, length) =>
        act('read', () => this.image.read(start + offset, Math.max(0, Math.min(length, bytes - offset)))),
      writeAt: (offset, data) =>
        act('write', () => {
          if (offset < 0 || offset + data.length > bytes)
            throw new RangeError(`${offset} is not on ${scope}`);
          const copy = Uint8Array.from(data);
          this.log.push({kind: 'write', scope, step: this.step, offset: start + offset, bytes: copy});
          this.image.write(start + offset, copy);
        }),
      flush,
      settle: flush,
    };
  }
}
