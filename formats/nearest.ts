/** The known word that a mistyped one was meant to be: for messages about unknown keys. */

/** At most a third of the letters may differ, or it is another word. */
export function nearest(word: string, known: Iterable<string>): string | null {
  // Longer ones are no typing errors, and the table below grows with the square.
  if (word.length > 64) return null;
  let best: {name: string; distance: number} | null = null;
  for (const name of known) {
    const distance = editDistance(word, name);
    if (best === null || distance < best.distance) best = {name, distance};
  }
  return best !== null && best.distance <= Math.ceil(best.name.length / 3) ? best.name : null;
}

/** Letters to add, take away or change (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({length: b.length + 1}, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
