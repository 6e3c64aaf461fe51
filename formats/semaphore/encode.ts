/** Writing the document: locksmith's three fields first, as it orders them, then ours, then those of others. */
import {
  MAX_DOCUMENT_BYTES,
  MAX_HOLDERS,
  type Semaphore,
  SemaphoreError,
  type SemaphoreHolder,
} from './types.ts';

/** Throws SemaphoreError 'too-long' rather than write what decodeSemaphore would refuse. */
export function encodeSemaphore(semaphore: Semaphore): Uint8Array {
  const {max, holders, expirySeconds, extra, ownExtra} = semaphore;
  const details = holders.flatMap((holder) => {
    const detail = detailOf(holder);
    return Object.keys(detail).length === 0 ? [] : [[holder.id, detail] as const];
  });
  const caisson = {
    ...(details.length === 0 ? {} : {details: Object.fromEntries(details)}),
    ...(expirySeconds === null ? {} : {expirySeconds}),
    ...ownExtra,
  };
  const document = {
    semaphore: max - holders.length,
    max,
    holders: holders.length === 0 ? null : holders.map(({id}) => id),
    ...(Object.keys(caisson).length === 0 ? {} : {caisson}),
    ...extra,
  };
  const bytes = Buffer.from(JSON.stringify(document));
  if (bytes.length > MAX_DOCUMENT_BYTES || holders.length > MAX_HOLDERS)
    throw new SemaphoreError(
      'too-long',
      `${holders.length} holders in ${bytes.length} bytes, allowed are ${MAX_HOLDERS} in ${MAX_DOCUMENT_BYTES}`,
    );
  return bytes;
}

function detailOf({since, reason, version, isKept, extra}: SemaphoreHolder): Record<string, unknown> {
  return {
    ...(since === null ? {} : {since: new Date(since).toISOString()}),
    ...(reason === null ? {} : {reason}),
    ...(version === null ? {} : {version}),
    ...(isKept ? {kept: true} : {}),
    ...extra,
  };
}
