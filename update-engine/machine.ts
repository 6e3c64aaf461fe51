/**
 * The engine's state machine: (state, event, settings) to (state, effects), pure and total. An event that a state does
 * not expect changes nothing and is logged, because a daemon that dies of a late answer helps nobody. The picture of it
 * is docs/update-states.dot, which a test holds against this code.
 *
 * Rejected: a queue of actions with pipes between them, as the lineage had; what it would do next could only be learnt
 * by running it.
 */
import {EVENT_RESULTS, EVENT_TYPES} from '../formats/omaha/codes.ts';
import type {OmahaEvent} from '../formats/omaha/request.ts';
import type {
  CheckOutcome,
  Effect,
  Event,
  Failure,
  NextCheck,
  Settings,
  Situation,
  State,
  Target,
} from './machine/states.ts';

export interface Step {
  state: State;
  effects: readonly Effect[];
}

const STAGE_REACHED = {result: EVENT_RESULTS.SUCCESS, errorCode: null, previousVersion: null};
/** The result that Omaha has for what its user stopped. The lineage never sent it, and left the server guessing. */
const CANCELLED: OmahaEvent = {
  type: EVENT_TYPES.UPDATE_COMPLETE,
  result: EVENT_RESULTS.CANCELLED,
  errorCode: null,
  previousVersion: null,
};
const DOWNLOAD_STARTED: OmahaEvent = {type: EVENT_TYPES.DOWNLOAD_STARTED, ...STAGE_REACHED};
const DOWNLOAD_FINISHED: OmahaEvent = {type: EVENT_TYPES.DOWNLOAD_FINISHED, ...STAGE_REACHED};

export const STARTING: State = {kind: 'starting'};

export function step(state: State, event: Event, settings: Settings): Step {
  return expected(state, event, settings) ?? unexpected(state, event);
}

function expected(state: State, event: Event, settings: Settings): Step | null {
  switch (state.kind) {
    case 'starting':
      return event.kind === 'booted' ? boot(event.situation) : null;
    case 'idle':
      return idle(state, event, settings);
    case 'on-trial':
      return onTrial(state, event);
    case 'checking':
      if (event.kind === 'checked') return checked(state, event);
      return working(event, []);
    case 'available':
      if (event.kind !== 'prepared') return installing(event);
      return keep({kind: 'downloading', offer: state.offer}, {kind: 'report', event: DOWNLOAD_STARTED});
    case 'downloading':
      // From another address, after what the first gave was wrong.
      if (event.kind === 'prepared') return keep(state);
      if (event.kind !== 'applied') return installing(event);
      return keep({kind: 'verifying', offer: state.offer}, {kind: 'report', event: DOWNLOAD_FINISHED});
    case 'verifying':
      if (event.kind !== 'verified') return installing(event);
      return keep({kind: 'finalizing', offer: state.offer});
    case 'finalizing':
      if (event.kind === 'committed') return awaitReboot(event.target);
      // No way back from here but its own end: the table may be written at any moment.
      return event.kind === 'failed' ? failed(event.failure) : null;
    case 'reporting-error':
      if (event.kind !== 'reported') return null;
      return goIdle(state.failure.kind === 'policy' ? 'periodic' : 'after-error');
    case 'need-reboot':
      return needReboot(state, event, settings);
  }
}

function boot(situation: Situation): Step {
  switch (situation.kind) {
    case 'ordinary':
      return goIdle('first');
    case 'on-trial':
      return {
        state: {kind: 'on-trial', pending: situation.pending},
        effects: [{kind: 'watch-trial'}, info('the running system has not been found good yet')],
      };
    case 'confirmed':
      return goIdle('first', [{kind: 'confirm', pending: situation.pending}]);
    case 'rolled-back':
      return goIdle('first', [{kind: 'give-up', pending: situation.pending, reason: situation.reason}]);
    case 'abandoned':
      return goIdle('first', [{kind: 'drop-pending', reason: situation.reason}]);
    case 'awaiting-reboot':
      return awaitReboot(situation.target);
  }
}

function idle(state: State, event: Event, settings: Settings): Step | null {
  if (event.kind === 'woken') {
    const {wish} = event;
    if (!settings.hasServer && wish.payloadPath === null) return keep(state, schedule('periodic'));
    return {state: {kind: 'checking', wish}, effects: [{kind: 'job', job: {kind: 'check', wish}}]};
  }
  if (event.kind === 'reboot-asked') {
    const {target} = event;
    return keep({kind: 'need-reboot', target, isAsking: false}, {kind: 'plan-reboot', target});
  }
  // The operator's reset clears the memory of a failure, which is not the machine's.
  return event.kind === 'reset' ? keep(state) : null;
}

function onTrial(state: State & {kind: 'on-trial'}, event: Event): Step | null {
  if (event.kind === 'became-good')
    return goIdle('soon', state.pending === null ? [] : [{kind: 'confirm', pending: state.pending}]);
  return event.kind === 'woken' ? keep(state, schedule('periodic')) : null;
}

function checked(state: State & {kind: 'checking'}, event: Event & {kind: 'checked'}): Step {
  const {outcome} = event;
  const recorded: Effect = {kind: 'record-check', outcome};
  if (outcome.kind === 'newer-image' && state.wish.install) {
    const {state: next, effects} = awaitReboot(imageTarget(outcome.version));
    return {state: next, effects: [recorded, ...effects]};
  }
  if (outcome.kind !== 'offered' || !state.wish.install) return goIdle('periodic', [recorded]);
  return {
    state: {kind: 'available', offer: outcome.offer},
    effects: [recorded, {kind: 'job', job: {kind: 'install', offer: outcome.offer}}],
  };
}

/** Also where an engine that was killed after the commit goes on. */
function awaitReboot(target: Target): Step {
  const recorded: readonly Effect[] = target.kind === 'update' ? [{kind: 'record-installed', target}] : [];
  return {
    state: {kind: 'need-reboot', target, isAsking: false},
    effects: [...recorded, schedule('periodic'), {kind: 'plan-reboot', target}],
  };
}

/** What is the same in all states that have a job and may be told to stop. */
function working(event: Event, told: readonly Effect[]): Step | null {
  if (event.kind === 'failed') return failed(event.failure);
  if (event.kind !== 'reset') return null;
  return goIdle('periodic', [{kind: 'abort-job'}, info('stopped by an operator'), ...told]);
}

/** The server has given an update away by then, and counts this host as busy with it. */
function installing(event: Event): Step | null {
  return working(event, [{kind: 'report', event: CANCELLED}]);
}

function failed(failure: Failure): Step {
  return {
    state: {kind: 'reporting-error', failure},
    effects: [
      {kind: 'record-failure', failure},
      {kind: 'job', job: {kind: 'report-failure', failure}},
    ],
  };
}

function needReboot(state: State & {kind: 'need-reboot'}, event: Event, settings: Settings): Step | null {
  const {target, isAsking} = state;
  const rested: State = {...state, isAsking: false};
  switch (event.kind) {
    case 'reboot-due':
      return keep(state, {kind: 'plan-reboot', target});
    case 'woken':
      // What is installed stays, and a newer release comes after the reboot; but the server still sees the host.
      if (isAsking || !settings.hasServer) return keep(state, schedule('periodic'));
      return keep({...state, isAsking: true}, {kind: 'job', job: {kind: 'look', target}});
    case 'looked':
      if (!isAsking) return null;
      if (event.outcome.kind === 'withdrawn') return withdrawn(event.outcome.detail);
      if (target.kind === 'image') return lookedForImage(target, event.outcome);
      return keep(rested, {kind: 'record-check', outcome: event.outcome}, schedule('periodic'));
    case 'failed':
      if (!isAsking) return null;
      return keep(rested, {kind: 'record-failure', failure: event.failure}, schedule('after-error'));
    case 'reset': {
      const stop: readonly Effect[] = isAsking ? [{kind: 'abort-job'}] : [];
      return goIdle('periodic', [...stop, {kind: 'drop-pending', reason: 'dropped by an operator'}]);
    }
    case 'reboot-asked':
      return keep({...state, target: event.target}, {kind: 'plan-reboot', target: event.target});
    case 'booted':
    case 'became-good':
    case 'checked':
    case 'prepared':
    case 'applied':
    case 'verified':
    case 'committed':
    case 'reported':
      return null;
  }
}

/**
 * Rejected: to restart into it all the same, as the lineage did. The release may have been withdrawn because the first
 * hosts came back from it; and of two releases that wait one after the other the first costs a restart for nothing.
 */
function withdrawn(detail: string): Step {
  const recorded: Effect = {kind: 'record-check', outcome: {kind: 'nothing', detail}};
  return goIdle('soon', [recorded, {kind: 'withdraw', reason: detail}]);
}

/** Nothing lies on a disk: what is not offered any more need not be waited for. */
function lookedForImage(target: Target, outcome: CheckOutcome): Step {
  const recorded: Effect = {kind: 'record-check', outcome};
  if (outcome.kind !== 'newer-image') {
    const reason = `${target.version} is not offered any more`;
    return goIdle('periodic', [recorded, {kind: 'drop-pending', reason}]);
  }
  const {version} = outcome;
  const state: State = {kind: 'need-reboot', target: {...target, version}, isAsking: false};
  if (version === target.version) return keep(state, recorded, schedule('periodic'));
  return keep(state, recorded, schedule('periodic'), {kind: 'plan-reboot', target: state.target});
}

function imageTarget(version: string): Target {
  return {version, slot: null, kind: 'image', isUrgent: false, followsChannel: true};
}

function goIdle(next: NextCheck, before: readonly Effect[] = []): Step {
  return {state: {kind: 'idle'}, effects: [...before, schedule(next)]};
}

function keep(state: State, ...effects: readonly Effect[]): Step {
  return {state, effects};
}

function schedule(next: NextCheck): Effect {
  return {kind: 'schedule', next};
}

function info(text: string): Effect {
  return {kind: 'log', level: 'info', text};
}

function unexpected(state: State, event: Event): Step {
  const text = `${event.kind} was not expected while ${state.kind}; nothing is done about it`;
  return {state, effects: [{kind: 'log', level: 'warn', text}]};
}
