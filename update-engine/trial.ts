/**
 * How this boot stands to the last update, told from what lies on the disk: the pending document, the bits of the slots
 * and the last health report.
 *
 * The document is written before the one GPT write that makes its slot next, and removed after everything that follows
 * from it was recorded. So whenever power fails, it is there or was not needed, and reading it twice leads to the same.
 * Nothing is inferred from the position of a slot: the lineage did, and forgot which versions had failed.
 */
import type {Slot, SlotLetter} from '../formats/gpt/slots.ts';
import {selectSlot} from '../formats/gpt/selection.ts';
import type {HealthReport, Pending} from './state/documents.ts';
import type {Situation} from './machine/states.ts';

export interface BootFacts {
  pending: Pending | null;
  health: HealthReport | null;
  slots: readonly Slot[];
  /** Null when the host runs from neither, for example from the network. */
  running: SlotLetter | null;
  /** Of the other slot, where it can be read. */
  otherVersion: string | null;
}

export function judgeBoot(facts: BootFacts): Situation {
  const {pending, slots} = facts;
  const running = slots.find(({letter}) => letter === facts.running);
  if (running === undefined) return {kind: 'ordinary'};
  if (pending === null) return judgeWithoutPending(facts, running);
  const slot = slots.find(({letter}) => letter === pending.slot);
  if (slot === undefined)
    return {kind: 'abandoned', pending, reason: `there is no slot ${pending.slot} any more`};
  if (slot.partitionGuid !== pending.partitionGuid.toLowerCase()) {
    // Power failed before the commit, or the slot was cleared again.
    const reason = `slot ${slot.letter} does not hold ${pending.version}: it was never made the next to start`;
    return {kind: 'abandoned', pending, reason};
  }
  if (slot.letter === running.letter)
    return slot.successful ? {kind: 'confirmed', pending} : {kind: 'on-trial', pending};
  return judgeFromOtherSlot(facts, pending, slot);
}

/** The running slot is the old one. */
function judgeFromOtherSlot({health, slots}: BootFacts, pending: Pending, slot: Slot): Situation {
  if (slot.successful) {
    const reason = `${pending.version} was found good, and another slot was started since`;
    return {kind: 'abandoned', pending, reason};
  }
  const report = health !== null && isAbout(health, pending) ? health : null;
  if (slot.priority === 0) {
    const reason = report === null ? 'its kernel image could not be started' : reasonOf(report);
    return {kind: 'rolled-back', pending, reason};
  }
  if (slot.tries === 0) {
    const reason = report === null ? 'did not come up: all its starts were used' : reasonOf(report);
    return {kind: 'rolled-back', pending, reason};
  }
  const next = selectSlot(slots);
  if (next.kind === 'boot' && next.slot.letter === slot.letter) {
    return {
      kind: 'awaiting-reboot',
      target: {
        version: pending.version,
        slot: slot.letter,
        kind: 'update',
        isUrgent: false,
        followsChannel: pending.followsChannel,
      },
    };
  }
  return {kind: 'abandoned', pending, reason: `slot ${slot.letter} was put back behind the running one`};
}

function judgeWithoutPending({slots, otherVersion}: BootFacts, running: Slot): Situation {
  if (!running.successful) return {kind: 'on-trial', pending: null};
  const next = selectSlot(slots);
  if (next.kind === 'none' || next.slot.letter === running.letter) return {kind: 'ordinary'};
  // Somebody pointed the machine to the other slot: an operator's rollback, before or after the engine started.
  const version = otherVersion ?? 'unknown';
  return {
    kind: 'awaiting-reboot',
    target: {version, slot: next.slot.letter, kind: 'rollback', isUrgent: false, followsChannel: false},
  };
}

function isAbout(health: HealthReport, pending: Pending): boolean {
  return (
    health.slot === pending.slot &&
    health.version === pending.version &&
    health.buildId === pending.buildId &&
    health.at >= pending.installedAt &&
    health.outcome !== 'good'
  );
}

function reasonOf({checks, outcome}: HealthReport): string {
  const failed = checks.filter(({passed}) => !passed);
  const named = failed.slice(0, 3).map(({name, detail}) => (detail === '' ? name : `${name}: ${detail}`));
  const more = failed.length > named.length ? ` and ${failed.length - named.length} more` : '';
  if (named.length === 0)
    return outcome === 'gave-up' ? 'its health checks gave it up' : 'it was not healthy';
  return `health check failed: ${named.join('; ')}${more}`.slice(0, 1000);
}
