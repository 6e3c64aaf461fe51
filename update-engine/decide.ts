/**
 * Whether a release is wanted on this host, and if not, by which rule, in a sentence for people. Asked twice: of the
 * server's answer, which costs nothing, and of the signed manifest, which alone can be believed.
 */
import type {SlotLetter} from '../formats/gpt/slots.ts';
import {compareVersions, hasVersionPrefix, isVersion} from '../formats/version.ts';
import type {Denied} from './state/documents.ts';

export interface SlotRelease {
  letter: SlotLetter;
  isRunning: boolean;
  /** Whether it was started and found good. */
  isGood: boolean;
  version: string | null;
}

export interface HostFacts {
  product: string;
  architecture: string;
  version: string;
  /** Seconds since 1970, of the running release. */
  sourceDate: number | null;
  /** Null on a host that runs from its boot image, and installs nothing. */
  slots: readonly SlotRelease[] | null;
  denied: readonly Denied[];
}

export interface Policy {
  /** Only this version, or versions below it (`1.2` lets in 1.2.7); null for any. */
  pin: string | null;
  /** Nothing above this version. */
  highest: string | null;
  allowDowngrade: boolean;
  /** What an operator asked for by name. */
  wanted: string | null;
}

export interface Candidate {
  version: string;
  /** Null where the source does not say: the server's answer. */
  product: string | null;
  architecture: string | null;
  /** max_timestamp of the manifest, seconds since 1970. */
  maxTimestamp: number | null;
}

export type Rule =
  | 'bad-version'
  | 'not-good-yet'
  | 'no-slot'
  | 'product'
  | 'architecture'
  | 'running'
  | 'installed'
  | 'denied'
  | 'not-wanted'
  | 'pin'
  | 'highest'
  | 'older';

export type Decision = {kind: 'install'} | {kind: 'refuse'; rule: Rule; reason: string};

/** The first rule that speaks against it decides. */
export function decide(candidate: Candidate, host: HostFacts, policy: Policy): Decision {
  for (const [rule, judge] of RULES) {
    const reason = judge(candidate, host, policy);
    if (reason !== null) return {kind: 'refuse', rule, reason};
  }
  return {kind: 'install'};
}

type Judge = (candidate: Candidate, host: HostFacts, policy: Policy) => string | null;

const RULES: readonly (readonly [Rule, Judge])[] = [
  ['bad-version', ({version}) => (isVersion(version) ? null : `${JSON.stringify(version)} is no version`)],
  ['product', judgeProduct],
  ['architecture', judgeArchitecture],
  ['no-slot', judgeSlots],
  ['not-good-yet', judgeRunningSlot],
  ['running', ({version}, host) => (version === host.version ? `${version} is running` : null)],
  ['not-wanted', judgeWanted],
  ['installed', judgeInstalled],
  ['denied', judgeDenied],
  ['pin', judgePin],
  ['highest', judgeHighest],
  ['older', judgeAge],
];

function judgeProduct({product}: Candidate, host: HostFacts): string | null {
  if (product === null || product === host.product) return null;
  return `it is for ${product}, and this host runs ${host.product}`;
}

function judgeArchitecture({architecture}: Candidate, host: HostFacts): string | null {
  if (architecture === null || architecture === host.architecture) return null;
  return `it is for ${architecture} machines, and this one is ${host.architecture}`;
}

function judgeSlots(_candidate: Candidate, {slots}: HostFacts): string | null {
  if (slots === null) return null;
  const [running, idle] = [true, false].map((isRunning) =>
    slots.find((slot) => slot.isRunning === isRunning),
  );
  if (running === undefined) return 'this host does not run from a slot of its disk';
  return idle === undefined ? 'the disk has no second slot' : null;
}

function judgeRunningSlot({version}: Candidate, {slots}: HostFacts): string | null {
  const running = slots?.find(({isRunning}) => isRunning);
  if (running?.isGood !== false) return null;
  return `${version} waits until the running slot ${running.letter} has been found good: the other slot is the way back`;
}

function judgeWanted({version}: Candidate, _host: HostFacts, {wanted}: Policy): string | null {
  return wanted === null || wanted === version ? null : `${wanted} was asked for, and ${version} is offered`;
}

function judgeInstalled({version}: Candidate, {slots}: HostFacts): string | null {
  const slot = slots?.find((each) => !each.isRunning && each.isGood && each.version === version);
  if (slot === undefined) return null;
  return `${version} is in slot ${slot.letter} already and was found good there; caissonctl rollback starts it`;
}

function judgeDenied({version}: Candidate, {denied}: HostFacts): string | null {
  const entry = denied.find((each) => each.version === version);
  return entry === undefined ? null : `${version} is on the deny list: ${entry.reason}`;
}

function judgePin({version}: Candidate, _host: HostFacts, {pin}: Policy): string | null {
  if (pin === null || hasVersionPrefix(version, pin)) return null;
  return `this host is pinned to ${pin}, and ${version} is something else`;
}

function judgeHighest({version}: Candidate, _host: HostFacts, {highest}: Policy): string | null {
  if (highest === null || compareVersions(version, highest) <= 0) return null;
  return `${version} is above ${highest}, the highest version that this host may take`;
}

function judgeAge({version, maxTimestamp}: Candidate, host: HostFacts, policy: Policy): string | null {
  if (policy.allowDowngrade) return null;
  if (isVersion(host.version) && compareVersions(version, host.version) < 0)
    return `${version} is older than ${host.version}, which is running; ALLOW_DOWNGRADE=true lets it in`;
  if (maxTimestamp === null || host.sourceDate === null || maxTimestamp >= host.sourceDate) return null;
  return `${version} was made before the running ${host.version}; ALLOW_DOWNGRADE=true lets it in`;
}
