/**
 * What follows from the checks, without doing it: a slot on trial is marked good or given up; a slot that was good
 * before is never given up, whatever its checks say. A network that is down must not make a fleet restart for ever.
 */
import {selectSlot} from '../../formats/gpt/selection.ts';
import {type SlotLetter, findSlot, giveUp, readSlots} from '../../formats/gpt/slots.ts';
import type {GptTable} from '../../formats/gpt/types.ts';
import type {HealthReport} from '../state/documents.ts';
import type {CheckResult} from './rounds.ts';

/** How the running slot stands. */
export type Standing =
  /** Not yet found good, and the machine would fall back to the other slot. */
  | 'on-trial'
  | 'good'
  /** Not yet found good, but there is nothing to fall back to: another restart would come to the same. */
  | 'last-resort'
  /** The host runs from no slot: from the network, or a disk of another kind. */
  | 'no-slot';

export function standingOf(table: GptTable, running: SlotLetter): 'on-trial' | 'good' | 'last-resort' {
  if (findSlot(table, running).successful) return 'good';
  return selectSlot(readSlots(giveUp(table, running))).kind === 'boot' ? 'on-trial' : 'last-resort';
}

export interface BootIdentity {
  version: string;
  buildId: string;
  slot: 'A' | 'B';
  bootId: string;
}

/** `at` in milliseconds since 1970. */
export function reportOf(
  identity: BootIdentity,
  outcome: HealthReport['outcome'],
  checks: readonly CheckResult[],
  at: number,
): HealthReport {
  return {
    ...identity,
    at,
    outcome,
    checks: checks.map(({name, passed, detail, seconds}) => ({name, passed, detail, seconds})),
  };
}

/**
 * The report of a slot that is given up. The checks of this boot are its reasons; without any, the boot did not come
 * so far, and that is the reason.
 */
export function gaveUpReport(last: HealthReport | null, identity: BootIdentity, at: number): HealthReport {
  const isOfThisBoot = last !== null && last.bootId === identity.bootId;
  const failed = isOfThisBoot && last.checks.some(({passed}) => !passed);
  const checks = isOfThisBoot ? last.checks : [];
  const reason = {
    name: 'boot',
    passed: false,
    detail: checks.length === 0 ? 'the health checks did not come to an end' : 'the boot did not complete',
    seconds: 0,
  };
  return {...identity, at, outcome: 'gave-up', checks: failed ? checks : [...checks, reason]};
}
