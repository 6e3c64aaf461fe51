/** `NAME=VALUE` in the languages that have it: environment files of systemd and shells, and Environment= of units. */

/** A value for a file that both a shell and systemd read (os-release(5)): in quotes unless it needs none. */
export function posixQuote(value: string): string {
  if (/^[A-Za-z0-9_.,:/@+-]*$/.test(value)) return value;
  return `"${value.replaceAll(/[\\"$`]/g, '\\$&')}"`;
}

/** One word of `Environment=` (systemd.exec(5)): quoted, with the specifiers of units taken as they stand. */
export function systemdEnvironment(name: string, value: string): string {
  return `"${name}=${value.replaceAll(/[\\"]/g, '\\$&').replaceAll('%', '%%')}"`;
}

/**
 * Sets variables in the text of such a file: a line that sets one of them is replaced where it stands, what is missing
 * comes at the end, and everything else stays. `null` takes the lines away.
 */
export function assignVariables(text: string, values: ReadonlyMap<string, string | null>): string {
  const left = new Map(values);
  const done = new Set<string>();
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const kept = lines.flatMap((line) => {
    const key = keyOf(line);
    if (key === null || !values.has(key)) return [line];
    // The last of several counts to most readers, so one is kept and the others go.
    if (done.has(key)) return [];
    done.add(key);
    left.delete(key);
    const value = values.get(key);
    return value === null || value === undefined ? [] : [`${key}=${value}`];
  });
  const added = [...left].flatMap(([key, value]) => (value === null ? [] : [`${key}=${value}`]));
  const all = [...kept, ...added];
  return all.length === 0 ? '' : `${all.join('\n')}\n`;
}

/** What a variable is set to, as it stands; the last line counts. Null without one. */
export function readVariable(text: string, name: string): string | null {
  let value: string | null = null;
  for (const line of text.split('\n'))
    if (keyOf(line) === name) value = line.slice(line.indexOf('=') + 1).trim();
  return value;
}

function keyOf(line: string): string | null {
  return /^\s*([A-Za-z_][A-Za-z0-9_]*)=/.exec(line)?.[1] ?? null;
}
