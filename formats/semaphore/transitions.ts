/**
 * What may happen to a semaphore. Every one of these can be done twice with the effect of once, so that a host that did
 * not hear the answer may ask again.
 *
 * Unlike locksmith's, a host that holds a slot is told so even when no slot is free.
 */
import {
  MAX_EXPIRY_SECONDS,
  MAX_HOLDERS,
  type Semaphore,
  SemaphoreError,
  type SemaphoreHolder,
  compareIds,
  requireId,
  tidyText,
} from './types.ts';

export interface SlotAsk {
  readonly id: string;
  /** Milliseconds since 1970, a time that a date can hold. */
  readonly now: number;
  readonly reason: string;
  readonly version: string | null;
}

export type TakeResult =
  | {readonly kind: 'held'; readonly semaphore: Semaphore; readonly holder: SemaphoreHolder}
  | {readonly kind: 'full'; readonly semaphore: Semaphore};

/**
 * A slot for the host. One that holds a slot keeps its time, with the reason of now; a slot that was kept on purpose
 * begins anew. The semaphore is the same object when nothing changed.
 */
export function takeSlot(semaphore: Semaphore, ask: SlotAsk): TakeResult {
  requireId(ask.id);
  const before = semaphore.holders.find(({id}) => id === ask.id);
  if (before === undefined && semaphore.holders.length >= semaphore.max) return {kind: 'full', semaphore};
  const {reason, version} = wordsOf(ask);
  const isAnew = before === undefined || before.isKept;
  const holder: SemaphoreHolder = {
    id: ask.id,
    since: isAnew ? ask.now : before.since,
    reason,
    version,
    isKept: false,
    extra: before?.extra ?? {},
  };
  if (before !== undefined && isSame(before, holder)) return {kind: 'held', semaphore, holder: before};
  return {kind: 'held', semaphore: withHolder(semaphore, holder), holder};
}

/** Null when the host holds no slot. */
export function releaseSlot(semaphore: Semaphore, id: string): Semaphore | null {
  const holders = semaphore.holders.filter((holder) => holder.id !== id);
  return holders.length === semaphore.holders.length ? null : {...semaphore, holders};
}

/** Stays a holder on purpose; null when the host holds no slot. The same object when nothing changed. */
export function keepSlot(semaphore: Semaphore, ask: Omit<SlotAsk, 'now'>): Semaphore | null {
  const before = semaphore.holders.find(({id}) => id === ask.id);
  if (before === undefined) return null;
  const holder = {...before, ...wordsOf(ask), isKept: true};
  return isSame(before, holder) ? semaphore : withHolder(semaphore, holder);
}

/** Nobody loses a slot by it; with fewer slots than holders the next ones wait. Throws SemaphoreError 'bad-value'. */
export function setMax(semaphore: Semaphore, max: number): Semaphore {
  if (!Number.isInteger(max) || max < 0 || max > MAX_HOLDERS)
    throw new SemaphoreError(
      'bad-value',
      `${max} cannot be the number of slots, expected 0 to ${MAX_HOLDERS}`,
    );
  return max === semaphore.max ? semaphore : {...semaphore, max};
}

/** Throws SemaphoreError 'bad-value'. */
export function setExpiry(semaphore: Semaphore, expirySeconds: number | null): Semaphore {
  const isFit =
    expirySeconds === null ||
    (Number.isInteger(expirySeconds) && expirySeconds > 0 && expirySeconds <= MAX_EXPIRY_SECONDS);
  if (!isFit)
    throw new SemaphoreError(
      'bad-value',
      `a slot cannot expire after ${expirySeconds} s, expected 1 to ${MAX_EXPIRY_SECONDS} or never`,
    );
  return expirySeconds === semaphore.expirySeconds ? semaphore : {...semaphore, expirySeconds};
}

/**
 * Takes away what was held for longer than the group's expiry, but not what was kept on purpose, nor what nobody knows
 * the time of, nor the slot of `asking`. The same object when nothing changed.
 */
export function expireSlots(
  semaphore: Semaphore,
  {now, asking}: {now: number; asking: string},
): {readonly semaphore: Semaphore; readonly expired: readonly SemaphoreHolder[]} {
  const {expirySeconds} = semaphore;
  if (expirySeconds === null) return {semaphore, expired: []};
  const isOver = ({id, since, isKept}: SemaphoreHolder): boolean =>
    !isKept && id !== asking && since !== null && now - since > expirySeconds * 1000;
  const expired = semaphore.holders.filter(isOver);
  if (expired.length === 0) return {semaphore, expired};
  return {
    semaphore: {...semaphore, holders: semaphore.holders.filter((holder) => !isOver(holder))},
    expired,
  };
}

function withHolder(semaphore: Semaphore, holder: SemaphoreHolder): Semaphore {
  const others = semaphore.holders.filter(({id}) => id !== holder.id);
  return {...semaphore, holders: [...others, holder].sort((a, b) => compareIds(a.id, b.id))};
}

function wordsOf({reason, version}: {reason: string; version: string | null}): {
  reason: string;
  version: string | null;
} {
  return {reason: tidyText(reason), version: version === null ? null : tidyText(version)};
}

function isSame(a: SemaphoreHolder, b: SemaphoreHolder): boolean {
  return a.since === b.since && a.reason === b.reason && a.version === b.version && a.isKept === b.isKept;
}
