/**
 * Which station was last heard behind which jack, as a learning bridge remembers it (IEEE 802.1Q, 8.7 and 8.8).
 * Bounded in number and in age: a guest that invents addresses pushes out the oldest, and the memory stays what it is.
 */
import {isGroupAddress} from './frames.ts';

/** The ageing time that 802.1Q recommends (table 8-6). */
export const AGEING_MS = 300_000;
/** Containers with addresses of their own included, no cluster on one machine comes near. */
export const MAX_ADDRESSES = 1024;

export class AddressTable<Jack> {
  /** In the order in which they were last heard, the oldest first. */
  readonly #entries = new Map<string, {jack: Jack; heardMs: number}>();
  readonly #max: number;

  constructor(max = MAX_ADDRESSES) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `nowMs` on a clock that never goes back. A group address is no station's, and is passed over. */
  learn(address: string, jack: Jack, nowMs: number): void {
    if (isGroupAddress(address)) return;
    this.#entries.delete(address);
    this.#entries.set(address, {jack, heardMs: nowMs});
    if (this.#entries.size <= this.#max) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Where the station is; undefined when that is not known, and the frame goes everywhere. */
  find(address: string, nowMs: number): Jack | undefined {
    const entry = this.#entries.get(address);
    if (entry === undefined) return undefined;
    if (nowMs - entry.heardMs <= AGEING_MS) return entry.jack;
    this.#entries.delete(address);
    return undefined;
  }

  /** A cable was pulled: its stations may appear elsewhere. */
  forget(jack: Jack): void {
    for (const [address, entry] of this.#entries) if (entry.jack === jack) this.#entries.delete(address);
  }
}
