/**
 * What each effect of the machine does to the world, except jobs. In each, what must not be lost is written first, and
 * the pending document goes last: a power cut between makes the next start do the rest again.
 */
import {ERROR_CODES, EVENT_RESULTS, EVENT_TYPES} from '../../formats/omaha/codes.ts';
import type {CheckOutcome, Failure, Target} from '../machine/states.ts';
import type {Denied, Pending} from '../state/documents.ts';
import type {Coordinator} from '../reboot/coordinator.ts';
import type {EngineParts} from './parts.ts';
import type {Planner} from './planner.ts';
import type {WorldEffect} from './loop.ts';

/** The document holds a thousand; the oldest of what the engine put there itself make room. */
const MAX_DENIED = 900;

export interface EffectTools extends EngineParts {
  planner: Planner;
  coordinator: Coordinator;
  removeLeftovers: () => Promise<void>;
  touch: () => void;
}

export async function performEffect(effect: WorldEffect, tools: EffectTools): Promise<void> {
  const {planner, reporter} = tools;
  switch (effect.kind) {
    case 'report':
      return reporter.add(effect.event);
    case 'schedule':
      return planner.planCheck(effect.next);
    case 'watch-trial':
      return planner.watchTrial();
    case 'plan-reboot':
      return planner.planReboot(effect.target);
    case 'confirm':
      return confirm(effect.pending, tools);
    case 'give-up':
      return giveUp(effect.pending, effect.reason, tools);
    case 'drop-pending':
      return dropPending(effect.reason, tools);
    case 'withdraw':
      // The restart first: it must not begin while the slot is being cleared.
      tools.planner.cancelReboot();
      await tools.slots.dropIdle();
      return dropPending(effect.reason, tools);
    case 'record-check':
      return recordCheck(effect.outcome, tools);
    case 'record-failure':
      return recordFailure(effect.failure, tools);
    case 'record-installed':
      return recordInstalled(effect.target, tools);
  }
}

async function confirm(pending: Pending, tools: EffectTools): Promise<void> {
  const {reporter, history, state, clock, journal} = tools;
  journal.info(
    `${pending.version} in slot ${pending.slot} is good; the update from ${pending.previousVersion} is done`,
  );
  await reporter.add({
    type: EVENT_TYPES.UPDATE_COMPLETE,
    result: EVENT_RESULTS.SUCCESS_REBOOT,
    errorCode: null,
    previousVersion: pending.previousVersion,
  });
  const detail = `${pending.version} came after ${pending.previousVersion} and was found good`;
  await history.change({
    lastUpdate: {at: clock.now(), outcome: 'good', version: pending.version, detail},
    lastError: null,
  });
  await tools.removeLeftovers();
  await state.setPending(null);
  tools.touch();
}

async function giveUp(pending: Pending, reason: string, tools: EffectTools): Promise<void> {
  const {reporter, history, state, clock, journal} = tools;
  journal.warn(`${pending.version} was left behind: ${reason}; it goes on the deny list`);
  await tools.coordinator.aftermath.keep(pending.version, reason);
  await denyVersion(tools, {
    version: pending.version,
    buildId: pending.buildId,
    reason,
    at: clock.now(),
  });
  await reporter.add({
    type: EVENT_TYPES.UPDATE_COMPLETE,
    result: EVENT_RESULTS.ERROR,
    errorCode: ERROR_CODES.ROLLBACK,
    previousVersion: null,
  });
  const detail = `${pending.version} was left behind for ${pending.previousVersion}: ${reason}`;
  await history.change({
    lastUpdate: {at: clock.now(), outcome: 'rolled-back', version: pending.version, detail},
    counters: {...history.read().counters, updateFailures: history.read().counters.updateFailures + 1},
  });
  await tools.removeLeftovers();
  await state.setPending(null);
  tools.touch();
}

/** Once for each version; the newest reason counts. */
export async function denyVersion({state}: Pick<EffectTools, 'state'>, entry: Denied): Promise<void> {
  const others = (await state.denied()).filter(({version}) => version !== entry.version);
  await state.setDenied([...others, entry].slice(-MAX_DENIED));
}

async function dropPending(reason: string, tools: EffectTools): Promise<void> {
  const {state, history, clock, journal, planner, reporter} = tools;
  planner.cancelReboot();
  const pending = await state.pending();
  if (pending === null) {
    journal.info(`no restart is wanted any more: ${reason}`);
    return;
  }
  journal.info(`${pending.version} is not what the next reboot starts any more: ${reason}`);
  // To the server the host has it installed, until it hears of this.
  await reporter.add({
    type: EVENT_TYPES.UPDATE_COMPLETE,
    result: EVENT_RESULTS.CANCELLED,
    errorCode: null,
    previousVersion: null,
  });
  const detail = `${pending.version} was dropped: ${reason}`;
  await history.change({
    lastUpdate: {at: clock.now(), outcome: 'dropped', version: pending.version, detail},
  });
  await state.setPending(null);
  tools.touch();
}

async function recordCheck(
  outcome: CheckOutcome,
  {history, clock, journal, touch, coordinator}: EffectTools,
): Promise<void> {
  const {counters} = history.read();
  const [version, detail] = describeOutcome(outcome);
  journal.info(detail);
  await history.change({
    lastCheck: {
      at: clock.now(),
      outcome: outcome.kind === 'newer-image' ? 'offered' : outcome.kind,
      version,
      detail,
    },
    counters: {...counters, checks: counters.checks + 1},
    // What failed before has been overcome, as far as a check can tell.
    ...(outcome.kind === 'nothing' ? {lastError: null} : {}),
  });
  const {lastOffer} = history.read();
  if (lastOffer !== null) await coordinator.aftermath.offered(lastOffer.version, lastOffer.at);
  touch();
}

function describeOutcome(outcome: CheckOutcome): [version: string | null, detail: string] {
  if (outcome.kind === 'nothing') return [null, outcome.detail];
  if (outcome.kind === 'newer-image') return [outcome.version, outcome.detail];
  if (outcome.kind === 'refused')
    return [outcome.version, `${outcome.version} is offered and refused: ${outcome.detail}`];
  return [outcome.offer.version, `${outcome.offer.version} can be installed`];
}

async function recordFailure(failure: Failure, {history, clock, journal, touch}: EffectTools): Promise<void> {
  const {stage, code, message, hint, version, kind} = failure;
  const at = clock.now();
  const what = version === null ? 'the check' : `the update to ${version}`;
  journal[kind === 'transfer' || kind === 'policy' ? 'warn' : 'error'](
    `${what} ${kind === 'policy' ? 'was refused' : 'failed'} at ${stage}: ${message}`,
  );
  const {counters, lastCheck} = history.read();
  const isCheck = stage === 'check';
  await history.change({
    lastError: {at, stage, code, message, hint},
    lastCheck: isCheck ? {at, outcome: 'failed', version, detail: `the check failed: ${message}`} : lastCheck,
    ...(isCheck
      ? {}
      : {lastUpdate: {at, outcome: 'failed' as const, version, detail: `${what} failed: ${message}`}}),
    counters: {
      ...counters,
      checks: counters.checks + Number(isCheck),
      checkFailures: counters.checkFailures + Number(isCheck),
      updateFailures: counters.updateFailures + Number(!isCheck),
    },
  });
  touch();
}

async function recordInstalled({version, slot}: Target, tools: EffectTools): Promise<void> {
  const {history, state, reporter, journal, touch} = tools;
  const pending = await state.pending();
  const {lastUpdate, counters} = history.read();
  // An engine that was killed after the commit comes here again, or for the first time.
  if (pending === null || (lastUpdate?.outcome === 'installed' && lastUpdate.at === pending.installedAt))
    return;
  journal.info(`${version} is installed in slot ${slot} and starts with the next reboot`);
  await reporter.add({
    type: EVENT_TYPES.UPDATE_COMPLETE,
    result: EVENT_RESULTS.SUCCESS,
    errorCode: null,
    previousVersion: null,
  });
  await history.change({
    lastUpdate: {
      at: pending.installedAt,
      outcome: 'installed',
      version,
      detail: `${version} was installed in slot ${slot}`,
    },
    lastError: null,
    counters: {...counters, updates: counters.updates + 1},
  });
  await tools.removeLeftovers();
  touch();
}
