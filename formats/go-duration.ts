/** Durations as Go writes them: `90s`, `1h30m`, `1.5h`, `0`. The settings of the lineage are in them. */

const NANOSECONDS_PER: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = /(\d{1,15}\.?\d{0,15}|\.\d{1,15})(ns|us|µs|μs|ms|s|m|h)/y;
const MAX_CHARACTERS = 64;

/** Milliseconds, negative ones too; null for what is no duration (time.ParseDuration of Go). */
export function parseGoDuration(text: string): number | null {
  if (text.length > MAX_CHARACTERS) return null;
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/.exec(text) ?? [];
  if (rest === '0') return 0;
  let nanoseconds = 0;
  let at = 0;
  while (at < rest.length) {
    PART.lastIndex = at;
    const [, digits, unit] = PART.exec(rest) ?? [];
    if (digits === undefined || unit === undefined) return null;
    nanoseconds += Number(digits) * (NANOSECONDS_PER[unit] ?? Number.NaN);
    at = PART.lastIndex;
  }
  return at === 0 ? null : ((sign === '-' ? -1 : 1) * nanoseconds) / 1e6;
}

/** `2h`, `1h30m`, `45s`, `0s`: whole seconds, in the form that parseGoDuration reads. */
export function formatGoDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const shown = parts.filter(([count]) => count !== 0).map(([count, unit]) => `${count}${unit}`);
  return shown.length === 0 ? '0s' : shown.join('');
}
