/** What happens when, on a clock that nobody waits for: a binary heap, and in the order of asking where times are equal. */
export interface Agenda {
  /** Milliseconds since 1970 of what happens now. */
  now(): number;
  /** Not before now. */
  at(time: number, act: () => void): void;
  /** Goes to the next time and acts; false when nothing is left. */
  next(): boolean;
}

interface Entry {
  readonly time: number;
  readonly turn: number;
  readonly act: () => void;
}

export function createAgenda(start: number): Agenda {
  const heap: Entry[] = [];
  let [now, turn] = [start, 0];
  const isBefore = (a: Entry, b: Entry): boolean => a.time < b.time || (a.time === b.time && a.turn < b.turn);

  function rise(entry: Entry): void {
    let at = heap.length;
    while (at > 0) {
      const parent = heap[(at - 1) >> 1];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = (at - 1) >> 1;
    }
    heap[at] = entry;
  }

  function sink(entry: Entry): void {
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      const child =
        right !== undefined && left !== undefined && isBefore(right, left) ? 2 * at + 2 : 2 * at + 1;
      const least = heap[child];
      if (least === undefined || !isBefore(least, entry)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = entry;
  }

  return {
    now: () => now,
    at(time, act) {
      turn += 1;
      rise({time: Math.max(time, now), turn, act});
    },
    next() {
      const [first] = heap;
      const last = heap.pop();
      if (first === undefined || last === undefined) return false;
      if (heap.length > 0) sink(last);
      now = first.time;
      first.act();
      return true;
    },
  };
}
