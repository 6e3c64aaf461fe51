/**
 * The members of a group with all counts that a decision needs, kept up to date with each change, so that asking costs
 * the same among ten machines and among a hundred thousand. A member is replaced as a whole; nothing else changes it.
 */
import type {Outcomes} from './halt.ts';
import {type Member, type Stage, newMember} from './member.ts';
import {type SortedKeys, createSortedKeys, placeOf} from './order.ts';
import type {RolloutPolicy} from './policy.ts';
import {createWatch} from './watch.ts';

export const PROGRESS_NAMES = [
  'done',
  'waiting',
  'granted',
  'downloading',
  'downloaded',
  'installed',
  'lost',
  'rolled-back',
  'gave-up',
  'aside',
] as const;
/** Where a member is, in one word. */
export type ProgressName = (typeof PROGRESS_NAMES)[number];

export interface Standing {
  readonly place: number;
  readonly isCanary: boolean;
}

export interface Tally {
  readonly waiting: SortedKeys;
  get(id: string): Member | undefined;
  members(): Iterable<Member>;
  /** Also takes it as present, if it waits. */
  put(member: Member): void;
  delete(id: string): void;
  standing(id: string): Standing;
  keyOf(member: Member): number;
  inFlight(): number;
  /** Members beside the canaries that were ever granted the target. */
  entered(): number;
  /** All of them, canaries too. */
  granted(): number;
  outcomes(): Outcomes;
  /** Canaries that run what they should. */
  goodCanaries(): number;
  counts(): Readonly<Record<ProgressName, number>>;
  /** How many run each version. */
  versions(): Readonly<Record<string, number>>;
  /** Those of whose grant, given before that, nothing was heard. */
  grantedBefore(at: number): readonly Member[];
  /** Those in flight that were last seen before that. */
  silentSince(at: number): readonly Member[];
  /** Takes those that were not seen since out of the line, until they are put again. */
  dropAbsent(at: number): void;
}

/** Setbacks beyond that make no difference to the order. */
const MAX_ROUNDS = 64;

export function createTally({seed, canary}: Pick<RolloutPolicy, 'seed' | 'canary'>): Tally {
  const members = new Map<string, Member>();
  const standings = new Map<string, Standing>();
  const waiting = createSortedKeys();
  const present = createWatch();
  const grants = createWatch();
  const flying = createWatch();
  const counts = Object.fromEntries(PROGRESS_NAMES.map((name) => [name, 0])) as Record<ProgressName, number>;
  const versions = new Map<string, number>();
  const blames = {failed: 0, 'rolled-back': 0, lost: 0};
  const canaries = new Set(canary?.machines);
  let [entered, granted, good, goodCanaries] = [0, 0, 0, 0];

  function standing(id: string): Standing {
    const known = standings.get(id);
    if (known !== undefined) return known;
    const place = placeOf(seed, id);
    const made = {place, isCanary: canary !== null && (canaries.has(id) || place < canary.share)};
    standings.set(id, made);
    return made;
  }

  /** Canaries first, whatever befell them; then those that came to nothing least often; then by place. */
  function keyOf({id, setbacks}: Member): number {
    const {place, isCanary} = standing(id);
    return (isCanary ? 0 : MAX_ROUNDS) + Math.min(setbacks, MAX_ROUNDS - 1) + place;
  }

  function count(member: Member, by: 1 | -1): void {
    const {isCanary} = standing(member.id);
    const isDone = member.progress.kind === 'done';
    counts[progressName(member)] += by;
    const running = (versions.get(member.version) ?? 0) + by;
    if (running === 0) versions.delete(member.version);
    else versions.set(member.version, running);
    if (member.blame !== null) blames[member.blame] += by;
    if (member.hasEntered && !isCanary) entered += by;
    if (member.hasEntered) granted += by;
    if (member.hasEntered && isDone) good += by;
    if (isCanary && isDone) goodCanaries += by;
  }

  function unlist(member: Member): void {
    if (present.delete(member.id)) waiting.remove(keyOf(member));
    grants.delete(member.id);
    flying.delete(member.id);
  }

  function list({id, lastSeenAt, progress}: Member, key: number): void {
    if (progress.kind === 'waiting') {
      present.set(id, lastSeenAt);
      waiting.add(key);
    }
    if (progress.kind !== 'in-flight') return;
    flying.set(id, lastSeenAt);
    if (progress.stage === 'granted') grants.set(id, progress.grantedAt);
  }

  const membersOf = (ids: readonly string[]): readonly Member[] => ids.flatMap((id) => members.get(id) ?? []);

  return {
    waiting,
    get: (id) => members.get(id),
    members: () => members.values(),
    put(member) {
      const before = members.get(member.id);
      if (before !== undefined) {
        count(before, -1);
        unlist(before);
      }
      members.set(member.id, member);
      count(member, 1);
      list(member, keyOf(member));
    },
    delete(id) {
      const member = members.get(id);
      if (member === undefined) return;
      count(member, -1);
      unlist(member);
      members.delete(id);
    },
    standing,
    keyOf,
    inFlight: () => flying.size,
    entered: () => entered,
    granted: () => granted,
    outcomes: () => ({
      good,
      failed: blames.failed,
      rolledBack: blames['rolled-back'],
      lost: blames.lost,
    }),
    goodCanaries: () => goodCanaries,
    counts: () => ({...counts}),
    versions: () => Object.fromEntries(versions),
    grantedBefore: (at) => membersOf(grants.before(at)),
    silentSince: (at) => membersOf(flying.before(at)),
    dropAbsent(at) {
      for (const member of membersOf(present.before(at))) {
        present.delete(member.id);
        waiting.remove(keyOf(member));
      }
    },
  };
}

export function progressName({progress}: Pick<Member, 'progress'>): ProgressName {
  switch (progress.kind) {
    case 'in-flight':
      return progress.stage satisfies Stage;
    case 'out':
      return progress.why === 'attempts' ? 'gave-up' : 'rolled-back';
    case 'aside':
    case 'done':
    case 'waiting':
    case 'lost':
      return progress.kind;
  }
}

/** The member of that id, or a new one that has not been put yet. */
export function memberOf(tally: Tally, id: string, version: string, at: number): Member {
  return tally.get(id) ?? newMember(id, version, at);
}
