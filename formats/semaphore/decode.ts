/**
 * Reading the document under the semaphore's key: `{"semaphore":0,"max":1,"holders":["..."],"caisson":{...}}`, where
 * `caisson` is ours and may be missing, because locksmith and its like write only the first three.
 *
 * Strict about what must hold, because a host restarts by it; what others added is carried along unread.
 */
import {describeIssues, z} from '../schema.ts';
import {
  type Extra,
  MAX_DOCUMENT_BYTES,
  MAX_EXPIRY_SECONDS,
  MAX_HOLDERS,
  MAX_TEXT_CHARACTERS,
  type Semaphore,
  SemaphoreError,
  type SemaphoreHolder,
  compareIds,
  isId,
} from './types.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const id = z.string().refine(isId, 'not an id');
const text = z.string().max(MAX_TEXT_CHARACTERS);
const time = z.string().regex(TIME).refine(isTime, 'not a time');

const detailSchema = z.looseObject({
  since: time.optional(),
  reason: text.optional(),
  version: text.optional(),
  kept: z.boolean().optional(),
});

const documentSchema = z.looseObject({
  semaphore: z.int(),
  max: z.int().min(0).max(MAX_HOLDERS),
  // Go writes an empty list that was never filled as null.
  holders: z.array(id).max(MAX_HOLDERS).nullable(),
  caisson: z
    .looseObject({
      details: z.custom<Record<string, unknown>>(isRecord, 'not an object').optional(),
      expirySeconds: z.int().positive().max(MAX_EXPIRY_SECONDS).nullable().optional(),
    })
    .optional(),
});

/** Throws SemaphoreError 'corrupt' or 'foreign'; `where` names the document in its message. */
export function decodeSemaphore(bytes: Uint8Array, where: string): Semaphore {
  const value = parseJson(bytes, where);
  if (!isRecord(value) || !('semaphore' in value || 'max' in value))
    throw new SemaphoreError('foreign', `${where} holds ${describeForeign(value)}, no semaphore`);
  const result = documentSchema.safeParse(value);
  if (!result.success) throw corrupt(where, describeIssues(result.error));
  const {semaphore, max, holders: listed, caisson = {}, ...extra} = result.data;
  const {details = {}, expirySeconds = null, ...ownExtra} = caisson;
  const ids = [...(listed ?? [])].sort(compareIds);
  const twice = ids.find((each, index) => each === ids[index + 1]);
  if (twice !== undefined) throw corrupt(where, `holder ${JSON.stringify(twice)} is in it twice`);
  if (semaphore !== max - ids.length)
    throw corrupt(
      where,
      `semaphore is ${semaphore}, expected ${max - ids.length}: max ${max} less ${ids.length} holders`,
    );
  // Details of who is no holder are left behind by programs that carry along what they do not know.
  const holders = ids.map((each) =>
    decodeHolder(each, Object.hasOwn(details, each) ? details[each] : {}, where),
  );
  return {max, holders, expirySeconds, extra, ownExtra};
}

function decodeHolder(holder: string, detail: unknown, where: string): SemaphoreHolder {
  const result = detailSchema.safeParse(detail);
  if (!result.success)
    throw corrupt(where, `details of ${JSON.stringify(holder)}: ${describeIssues(result.error)}`);
  const {since, reason = null, version = null, kept = false, ...extra} = result.data;
  return {
    id: holder,
    since: since === undefined ? null : Date.parse(since),
    reason,
    version,
    isKept: kept,
    extra,
  };
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES)
    throw corrupt(where, `${bytes.length} bytes, more than ${MAX_DOCUMENT_BYTES}`);
  try {
    return JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch (error) {
    throw corrupt(where, `not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

function isTime(value: string): boolean {
  const ms = Date.parse(value);
  return Number.isFinite(ms) && new Date(ms).toISOString() === value;
}

export function isRecord(value: unknown): value is Extra {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describeForeign(value: unknown): string {
  if (!isRecord(value))
    return Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
  const names = Object.keys(value).slice(0, 5);
  return `an object with ${names.length === 0 ? 'nothing in it' : names.map((name) => JSON.stringify(name.slice(0, 40))).join(', ')}`;
}

function corrupt(where: string, what: string): SemaphoreError {
  return new SemaphoreError('corrupt', `${where} is damaged: ${what}`);
}
