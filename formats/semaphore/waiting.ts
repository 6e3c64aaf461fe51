/**
 * What a host that waits for a slot writes beside the semaphore. It informs people and gives a position; nobody waits
 * for it, so that one who asked and died stops nobody. A record that makes no sense is therefore just one without
 * details.
 */
import {z} from '../schema.ts';
import {MAX_TEXT_CHARACTERS, tidyText} from './types.ts';

export interface Waiter {
  /** Milliseconds since 1970. */
  readonly since: number | null;
  readonly reason: string | null;
  readonly version: string | null;
}

const MAX_RECORD_BYTES = 4096;
const text = z.string().max(MAX_TEXT_CHARACTERS).nullable().catch(null).default(null);
const schema = z.object({
  since: z.iso.datetime().nullable().catch(null).default(null),
  reason: text,
  version: text,
});

export function encodeWaiter({since, reason, version}: Waiter): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      ...(since === null ? {} : {since: new Date(since).toISOString()}),
      ...(reason === null ? {} : {reason: tidyText(reason)}),
      ...(version === null ? {} : {version: tidyText(version)}),
    }),
  );
}

export function decodeWaiter(bytes: Uint8Array): Waiter {
  const unknown = {since: null, reason: null, version: null};
  if (bytes.length > MAX_RECORD_BYTES) return unknown;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch {
    return unknown;
  }
  const result = schema.safeParse(value);
  if (!result.success) return unknown;
  const {since, ...words} = result.data;
  return {since: since === null ? null : Date.parse(since), ...words};
}
