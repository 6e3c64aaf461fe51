/** What differs between two texts, as lines with `-` and `+`: enough for a person who wants to see what a change is. */

export interface DiffOptions {
  /** Lines that are shown at most; what is left out is said. */
  readonly maxLines: number;
}

/** Beyond this the part in the middle is shown as taken out and put in as a whole. */
const MAX_COMPARED = 1000;

/** Without lines that are the same in both. Empty for texts that are the same. */
export function diffLines(before: string, after: string, {maxLines}: DiffOptions): readonly string[] {
  const [a, b] = [splitLines(before), splitLines(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end])
    end += 1;
  const lines = compare(a.slice(start, a.length - end), b.slice(start, b.length - end));
  if (lines.length <= maxLines) return lines;
  return [...lines.slice(0, maxLines), `... and ${lines.length - maxLines} lines more`];
}

function splitLines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** By the longest common subsequence. */
function compare(a: readonly string[], b: readonly string[]): string[] {
  const out = a.map((line) => `-${line}`);
  const added = b.map((line) => `+${line}`);
  if (a.length > MAX_COMPARED || b.length > MAX_COMPARED) return [...out, ...added];
  const table = Array.from({length: a.length + 1}, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [row, below] = [table[i], table[i + 1]];
      if (row === undefined || below === undefined) continue;
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) [i, j] = [i + 1, j + 1];
    else if (i < a.length && (j >= b.length || (table[i + 1]?.[j] ?? 0) >= (table[i]?.[j + 1] ?? 0))) {
      lines.push(out[i] ?? '');
      i += 1;
    } else {
      lines.push(added[j] ?? '');
      j += 1;
    }
  }
  return lines;
}
