/** Why a host waits, in a sentence: for the person at the host, and for the one at the server. */
import {formatInstant} from '../reboot-window/opening.ts';
import type {UpdateHold} from './response.ts';

/** `1.2.0 is held back: its turn has not come; position 12 in line; not before Mon 02:00 (UTC)`. */
export function describeHold({version, detail, position, notBefore}: UpdateHold, now: number): string {
  const where = position === null ? '' : `; position ${position} in line`;
  const when = notBefore === null ? '' : `; not before ${formatInstant(1000 * notBefore, 'UTC', now)}`;
  return `${version} is held back: ${detail}${where}${when}`;
}
