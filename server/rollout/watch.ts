/**
 * Names with a time each, of which those that lie too far back are wanted. All of them are looked at only when one may be
 * due: times move on with every sign of life, so a queue in their order would be sorted anew all the time, and clocks
 * that jump would break it.
 */
export interface Watch {
  readonly size: number;
  set(name: string, at: number): void;
  delete(name: string): boolean;
  /** Those with a time before that. */
  before(at: number): readonly string[];
}

export function createWatch(): Watch {
  const times = new Map<string, number>();
  /** None lies further back. */
  let oldest = Infinity;
  return {
    get size() {
      return times.size;
    },
    set(name, at) {
      times.set(name, at);
      oldest = Math.min(oldest, at);
    },
    delete: (name) => times.delete(name),
    before(at) {
      if (oldest >= at) return [];
      oldest = Infinity;
      const found: string[] = [];
      for (const [name, time] of times) {
        if (time < at) found.push(name);
        oldest = Math.min(oldest, time);
      }
      return found;
    },
  };
}
