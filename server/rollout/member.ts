/**
 * One machine in the rollout of its group, and what becomes of it: pure, (member, what happened) to member. Who may be
 * granted something is not decided here.
 */
import {
  ERROR_CODES,
  EVENT_RESULTS,
  EVENT_TYPES,
  HTTP_STATUS_BASE,
  maskErrorCode,
} from '../../formats/omaha/codes.ts';
import type {OmahaEvent} from '../../formats/omaha/request.ts';
import type {Way} from './target.ts';

/** How far a machine with a grant has come, as far as it told. */
export type Stage = 'granted' | 'downloading' | 'downloaded' | 'installed';
export type Blame = 'failed' | 'rolled-back' | 'lost';

export type Progress =
  /** Nothing is there for it. */
  | {readonly kind: 'aside'}
  /** It runs what it should. */
  | {readonly kind: 'done'}
  /** `expired`: the version of a grant that was taken back; it may still be acted upon. */
  | {readonly kind: 'waiting'; readonly expired: string | null}
  | {
      readonly kind: 'in-flight';
      readonly version: string;
      readonly stage: Stage;
      readonly grantedAt: number;
    }
  /** In flight, and not heard of since. */
  | {readonly kind: 'lost'; readonly version: string}
  /** It is not granted this target again, until a person says so. */
  | {readonly kind: 'out'; readonly why: 'rolled-back' | 'attempts'};

/** What a machine says of itself. */
export interface Self {
  readonly version: string;
  readonly prefix: string;
}

export interface Member extends Self {
  readonly id: string;
  /** What it said last. */
  readonly version: string;
  /** Empty, or the beginning of the only versions that it takes. */
  readonly prefix: string;
  /** Milliseconds since 1970, as everywhere. */
  readonly lastSeenAt: number;
  readonly progress: Progress;
  readonly progressAt: number;
  /** Whether it was ever granted the target, or a stone on the way. */
  readonly hasEntered: boolean;
  /** How often it was, without coming there. It goes behind those with fewer. */
  readonly setbacks: number;
  /** What speaks against the target; stays until the machine runs it. */
  readonly blame: Blame | null;
}

/** What an event says of an update. */
export type Happening = 'downloading' | 'downloaded' | 'installed' | 'failed' | 'rolled-back' | 'put-off';

/** Null for an event that is about no update: the machine runs, and what it runs is said beside it. */
export function happeningOf({type, result, errorCode}: OmahaEvent): Happening | null {
  if (type === EVENT_TYPES.DOWNLOAD_STARTED && result === EVENT_RESULTS.SUCCESS) return 'downloading';
  if (type === EVENT_TYPES.DOWNLOAD_FINISHED && result === EVENT_RESULTS.SUCCESS) return 'downloaded';
  if (type !== EVENT_TYPES.UPDATE_COMPLETE) return null;
  switch (result) {
    case EVENT_RESULTS.SUCCESS:
      return 'installed';
    case EVENT_RESULTS.ERROR:
      return failureOf(errorCode === null ? null : maskErrorCode(errorCode));
    case EVENT_RESULTS.CANCELLED:
    case EVENT_RESULTS.DEFERRED:
      return 'put-off';
    default:
      return null;
  }
}

/** Errors of asking: they tell of the server and of the network, and nothing of a release. */
const CHECK_CODES: readonly number[] = [
  ERROR_CODES.OMAHA_REQUEST,
  ERROR_CODES.EMPTY_RESPONSE,
  ERROR_CODES.XML_PARSE,
  ERROR_CODES.OMAHA_RESPONSE_INVALID,
  ERROR_CODES.OMAHA_ERROR_IN_HTTP_RESPONSE,
];

function failureOf(code: number | null): Happening | null {
  if (code === ERROR_CODES.ROLLBACK) return 'rolled-back';
  return code !== null && (code >= HTTP_STATUS_BASE || CHECK_CODES.includes(code)) ? null : 'failed';
}

export function newMember(id: string, version: string, at: number): Member {
  return {
    id,
    version,
    prefix: '',
    lastSeenAt: at,
    progress: {kind: 'aside'},
    progressAt: at,
    hasEntered: false,
    setbacks: 0,
    blame: null,
  };
}

/**
 * Heard of, as it says that it is. Who was lost is back; who came to where it was sent is done, or stands in line for what
 * comes after a stepping stone.
 */
export function seen(
  member: Member,
  {version, prefix}: Self,
  way: Way,
  attempts: number,
  at: number,
): Member {
  const now = {...member, version, prefix, lastSeenAt: at};
  const {progress} = member;
  if (way.kind === 'arrived') {
    if (progress.kind === 'done') return now;
    return {...now, progress: {kind: 'done'}, progressAt: at, setbacks: 0, blame: null};
  }
  if (way.kind === 'aside') return progress.kind === 'aside' ? now : {...now, progress: way, progressAt: at};
  switch (progress.kind) {
    case 'aside':
    case 'done':
      return {...now, progress: WAITING, progressAt: at};
    case 'in-flight':
    case 'lost':
      if (progress.version === version) return {...now, progress: WAITING, progressAt: at, blame: null};
      if (progress.kind === 'lost') return expired(now, attempts, at);
      return progress.version === way.version ? now : detoured(now, progress, at);
    case 'waiting':
    case 'out':
      return now;
  }
}

/** It was sent to what its group does not want any more: what it has not installed yet it shall not. */
function detoured(member: Member, {stage, version}: Progress & {kind: 'in-flight'}, at: number): Member {
  if (stage === 'installed') return member;
  return {...member, progress: {kind: 'waiting', expired: version}, progressAt: at};
}

export function granted(member: Member, version: string, at: number): Member {
  const progress = {kind: 'in-flight', version, stage: 'granted', grantedAt: at} as const;
  return {...member, progress, progressAt: at, hasEntered: true};
}

/**
 * A machine that nobody sent anywhere may say what it likes. One that is on its way to what its group wanted before
 * neither speaks against the target, nor loses its place.
 */
export function heard(member: Member, happening: Happening, attempts: number, at: number): Member {
  const {progress, hasEntered} = member;
  const version = underWay(progress);
  if (version === null) return member;
  switch (happening) {
    case 'downloading':
    case 'downloaded':
    case 'installed': {
      const grantedAt = progress.kind === 'in-flight' ? progress.grantedAt : at;
      return {
        ...member,
        progress: {kind: 'in-flight', version, stage: happening, grantedAt},
        progressAt: at,
      };
    }
    case 'failed':
      if (!hasEntered) return {...member, progress: WAITING, progressAt: at};
      return {...setBack(member, WAITING, attempts, at), blame: 'failed'};
    case 'rolled-back':
      if (!hasEntered) return {...member, progress: WAITING, progressAt: at};
      // The host remembers that the version is bad, and would refuse it.
      return {
        ...member,
        progress: {kind: 'out', why: 'rolled-back'},
        progressAt: at,
        blame: 'rolled-back',
      };
    case 'put-off':
      return setBack(member, WAITING, attempts, at);
  }
}

/** Whether two states of a machine differ in when it was last seen, and in nothing else. */
export function isSameButSeen(a: Member, b: Member): boolean {
  return (
    a.progress === b.progress &&
    a.version === b.version &&
    a.prefix === b.prefix &&
    a.progressAt === b.progressAt &&
    a.hasEntered === b.hasEntered &&
    a.setbacks === b.setbacks &&
    a.blame === b.blame
  );
}

/** Nothing came of its grant, so far. */
export function expired(member: Member, attempts: number, at: number): Member {
  return setBack(member, {kind: 'waiting', expired: underWay(member.progress)}, attempts, at);
}

/** It began, and was not heard of since. */
export function lost(member: Member, at: number): Member {
  const version = underWay(member.progress);
  if (version === null) return member;
  const blame = member.hasEntered ? 'lost' : null;
  return {...member, progress: {kind: 'lost', version}, progressAt: at, blame};
}

/** The group is headed elsewhere: only what is under way counts on. */
export function retargeted(member: Member, way: Way, at: number): Member {
  const fresh = {...member, hasEntered: false, setbacks: 0, blame: null};
  if (member.progress.kind === 'in-flight') return fresh;
  return {...fresh, progress: standingOf(way), progressAt: at};
}

/** A person lets it try again. What spoke against the release still does. */
export function retried(member: Member, way: Way, at: number): Member {
  return {...member, progress: standingOf(way), progressAt: at, setbacks: 0};
}

function standingOf(way: Way): Progress {
  switch (way.kind) {
    case 'to':
      return WAITING;
    case 'arrived':
      return {kind: 'done'};
    case 'aside':
      return way;
  }
}

/** What the machine was sent to and may be on its way to. */
export function underWay(progress: Progress): string | null {
  switch (progress.kind) {
    case 'in-flight':
    case 'lost':
      return progress.version;
    case 'waiting':
      return progress.expired;
    case 'aside':
    case 'done':
    case 'out':
      return null;
  }
}

const WAITING: Progress = {kind: 'waiting', expired: null};

function setBack(member: Member, next: Progress, attempts: number, at: number): Member {
  const setbacks = member.setbacks + 1;
  const isEnough = member.hasEntered && setbacks >= attempts;
  return {
    ...member,
    progress: isEnough ? {kind: 'out', why: 'attempts'} : next,
    progressAt: at,
    setbacks: member.hasEntered ? setbacks : member.setbacks,
  };
}
