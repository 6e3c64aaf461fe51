/** Sizes and times as people read them, and sizes as people write them in a definition. */
import {CodedError} from './errors.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

export class UnitError extends CodedError<'bad-size'> {}

/** Decimal units, three digits: `692 MB`, `4.1 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `0.4 s`, `53 s`, `4 min 10 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `2026-11-21 20:31`, in UTC, of milliseconds since 1970. */
export function formatMinute(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ');
}

const SIZE = /^(\d{1,15})(?:\s?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB))?$/;
const FACTORS: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: KIB,
  MiB: MIB,
  GiB: GIB,
  TiB: 1024 * GIB,
};

/** Reads `900 MiB`, `230 MB`, `4096`; bytes. Throws UnitError on anything else. */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const bytes = match === null ? Number.NaN : Number(match[1]) * (FACTORS[match[2] ?? 'B'] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new UnitError('bad-size', `"${text}" is not a size`, {
      hint: 'write it like "900 MiB", "230 MB" or "4096"',
    });
  }
  return bytes;
}
