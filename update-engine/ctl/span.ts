/** Spans of time as the commands print them. */
import {formatSeconds} from '../../formats/units.ts';

export function formatSpan(seconds: number): string {
  if (seconds < 3600) return formatSeconds(seconds);
  const hours = seconds / 3600;
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}
