/** Work that runs beside itself and comes out in order. */

/**
 * Calls `work` for each item, at most `width` at once, and gives the results in the order of the items. When one
 * fails, the others are waited for, so that none outlives the loop; give them a signal to end them early.
 */
export async function* mapInOrder<T, R>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  try {
    for (const item of items) {
      const promise = work(item);
      // Looked at later; until then its failure is not a fault of ours.
      promise.catch(() => undefined);
      running.push(promise);
      if (running.length < width) continue;
      const first = running.shift();
      if (first !== undefined) yield await first;
    }
    for (let first = running.shift(); first !== undefined; first = running.shift()) yield await first;
  } finally {
    await Promise.allSettled(running);
  }
}
