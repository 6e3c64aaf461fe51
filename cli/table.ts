/** Rows for a terminal. */

/** In columns as wide as what is in them; without control characters, which machines may have in their names. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const clean = rows.map((row) => row.map((cell) => cell.replaceAll(/\p{C}/gu, '?')));
  const widths =
    clean[0]?.map((_cell, index) => Math.max(...clean.map((row) => row[index]?.length ?? 0))) ?? [];
  return clean.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
