/** A sparse disk in memory whose power can be cut after any sector: the fault that no real disk shows on demand. */
import type {GptDisk} from '../../platform/gpt-disk.ts';
import type {SectorSize} from '../../formats/gpt/types.ts';

export class PowerCut extends Error {}

export class MemoryDisk implements GptDisk {
  readonly sectorSize: SectorSize;
  readonly diskSectors: bigint;
  /** Sectors that may still be written. */
  powerLeft = Number.POSITIVE_INFINITY;
  readonly log: string[] = [];
  readonly #sectors: Map<number, Uint8Array>;

  constructor(sectorSize: SectorSize, diskSectors: bigint, sectors: Iterable<[number, Uint8Array]> = []) {
    this.sectorSize = sectorSize;
    this.diskSectors = diskSectors;
    this.#sectors = new Map(sectors);
  }

  /** The same content with power back on. */
  clone(): MemoryDisk {
    return new MemoryDisk(this.sectorSize, this.diskSectors, this.#sectors);
  }

  readAt(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.ceil(length / this.sectorSize) * this.sectorSize);
    for (let at = 0; at < bytes.length; at += this.sectorSize) {
      const sector = this.#sectors.get(this.#sectorAt(offset + at));
      if (sector !== undefined) bytes.set(sector, at);
    }
    return Promise.resolve(bytes.subarray(0, length));
  }

  writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.log.push(`write ${offset} ${bytes.length}`);
    for (let at = 0; at < bytes.length; at += this.sectorSize) {
      if (this.powerLeft === 0) return Promise.reject(new PowerCut());
      this.powerLeft -= 1;
      this.#sectors.set(this.#sectorAt(offset + at), bytes.slice(at, at + this.sectorSize));
    }
    return Promise.resolve();
  }

  flush(): Promise<void> {
    this.log.push('flush');
    return Promise.resolve();
  }

  #sectorAt(offset: number): number {
    if (offset % this.sectorSize !== 0) throw new Error(`offset ${offset} is not a sector's`);
    if (BigInt(offset / this.sectorSize) >= this.diskSectors)
      throw new Error(`offset ${offset} is not on it`);
    return offset / this.sectorSize;
  }
}
