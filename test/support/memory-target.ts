/** A partition in memory whose unflushed writes are lost when the power fails. */
import type {Target} from '../../update-engine/slots/target.ts';

export interface MemoryTarget extends Target {
  /** As it is now, written or flushed. */
  content(): Buffer;
  /** What was not flushed is gone; `keep` decides about each such write, which may also be torn. */
  cutPower(keep?: (write: number) => boolean): void;
  readonly flushes: number;
  readonly writes: number;
}

export function memoryTarget(bytes: number, fill = 0xa5): MemoryTarget {
  let stable = Buffer.alloc(bytes, fill);
  let current = Buffer.from(stable);
  let pending: {offset: number; bytes: Buffer}[] = [];
  let [flushes, writes] = [0, 0];
  const flush = (): Promise<void> => {
    for (const write of pending) stable.set(write.bytes, write.offset);
    pending = [];
    flushes += 1;
    return Promise.resolve();
  };
  return {
    bytes,
    get flushes() {
      return flushes;
    },
    get writes() {
      return writes;
    },
    content: () => Buffer.from(current),
    cutPower(keep = () => false) {
      const next = Buffer.from(stable);
      for (const [index, write] of pending.entries()) if (keep(index)) next.set(write.bytes, write.offset);
      pending = [];
      stable = next;
      current = Buffer.from(next);
    },
    async writeAt(offset, data) {
      await Promise.resolve();
      if (offset + data.length > bytes) throw new Error(`write at ${offset} beyond ${bytes}`);
      const copy = Buffer.from(data);
      pending.push({offset, bytes: copy});
      current.set(copy, offset);
      writes += 1;
    },
    readAt: (offset, length) => Promise.resolve(Uint8Array.from(current.subarray(offset, offset + length))),
    flush,
    settle: flush,
  };
}
