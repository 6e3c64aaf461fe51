/**
 * A host of the rehearsal: the engine's own state machine, rules and schedule, with a disk, a network and a reboot that
 * only take time. What the machine wants done is done here as the engine would do it, and told to the server in events.
 */
import {ERROR_CODES, EVENT_RESULTS, EVENT_TYPES} from '../../formats/omaha/codes.ts';
import type {OmahaEvent} from '../../formats/omaha/request.ts';
import {type HostFacts, type Policy, decide} from '../../update-engine/decide.ts';
import {STARTING, step} from '../../update-engine/machine.ts';
import {
  type CheckOutcome,
  type Effect,
  type Event,
  type Failure,
  type NextCheck,
  type Offer,
  type State,
  TIMER_WISH,
  type Target,
} from '../../update-engine/machine/states.ts';
import {type LastCheck, firstCheck, nextCheck, soonDelayMs} from '../../update-engine/schedule.ts';
import type {Pending} from '../../update-engine/state/documents.ts';
import type {Agenda} from './agenda.ts';

/** What becomes of a machine that starts the release. */
export type Fate = 'good' | 'rolled-back' | 'lost';

/** What a host can reach. */
export interface Server {
  /** HTTP status in place of an answer, null while the server is there. */
  outage(): {readonly status: number; readonly endsAt: number} | null;
  /** The version on offer. */
  check(host: {readonly id: string; readonly version: string}): string | null;
  event(host: {readonly id: string; readonly version: string}, event: OmahaEvent): void;
}

export interface Delays {
  readonly downloadMs: number;
  /** From the wish to restart until it happens: windows, locks, patience. Spread from nothing to this. */
  readonly rebootWaitMs: number;
  readonly bootMs: number;
  /** Until the health checks have made up their mind. */
  readonly trialMs: number;
}

export interface HostOptions {
  readonly id: string;
  readonly version: string;
  readonly agenda: Agenda;
  readonly random: () => number;
  readonly server: Server;
  readonly delays: Delays;
  readonly fateOf: (version: string) => Fate;
}

const SETTINGS = {hasServer: true};
const POLICY: Policy = {pin: null, highest: null, allowDowngrade: false, wanted: null};
const GUID = '00000000-0000-0000-0000-000000000000';
/** Between two tries to tell a server that is away. */
const MAX_REPORT_PAUSE_MS = 30 * 60_000;

export function startHost({id, version, agenda, random, server, delays, fateOf}: HostOptions): void {
  let state: State = STARTING;
  let facts = factsOf(version);
  let last: LastCheck = {intervalMs: null, status: null, pollSeconds: null};
  /** Counts plans and boots: what was planned before is nobody's business any more. */
  let [plan, boot] = [0, 0];
  /** Events reach the server in their order. */
  let deliveredAt = 0;

  function dispatch(event: Event): void {
    const next = step(state, event, SETTINGS);
    state = next.state;
    for (const effect of next.effects) perform(effect);
  }

  /** In this boot, or not at all. */
  function later(ms: number, act: () => void): void {
    const current = boot;
    agenda.at(agenda.now() + ms, () => {
      if (boot === current) act();
    });
  }

  function perform(effect: Effect): void {
    if (effect.kind === 'schedule') schedule(effect.next);
    else if (effect.kind === 'report') report(effect.event);
    else if (effect.kind === 'record-installed') report(eventOf(EVENT_RESULTS.SUCCESS));
    else if (effect.kind === 'plan-reboot') planReboot(effect.target);
    else if (effect.kind === 'confirm') report(eventOf(EVENT_RESULTS.SUCCESS_REBOOT));
    else if (effect.kind === 'give-up') giveUp(effect.pending, effect.reason);
    else if (effect.kind === 'watch-trial') later(delays.trialMs, () => dispatch({kind: 'became-good'}));
    else if (effect.kind === 'job') {
      const {job} = effect;
      if (job.kind === 'check') later(0, check);
      else if (job.kind === 'install') later(0, () => install(job.offer));
      else if (job.kind === 'look') later(0, () => look());
      else later(0, () => reportFailure(job.failure));
    }
  }

  function schedule(next: NextCheck): void {
    plan += 1;
    const current = plan;
    const wake = (): void => {
      if (plan === current) dispatch({kind: 'woken', wish: TIMER_WISH});
    };
    if (next === 'soon') return later(soonDelayMs(random()), wake);
    const chosen = next === 'first' ? firstCheck(random()) : nextCheck(last, random());
    last = {...last, intervalMs: chosen.intervalMs};
    later(chosen.delayMs, wake);
  }

  /** The version on offer, or what was wrong. */
  function askServer(): {readonly offered: string | null} | Failure {
    const outage = server.outage();
    last = {...last, status: outage?.status ?? null, pollSeconds: null};
    if (outage === null) return {offered: server.check({id, version: facts.version})};
    const message = `HTTP status ${outage.status}`;
    return {stage: 'check', message, hint: null, code: 2000 + outage.status, kind: 'transfer', version: null};
  }

  function check(): void {
    const answer = askServer();
    if ('code' in answer) return dispatch({kind: 'failed', failure: answer});
    dispatch({kind: 'checked', outcome: judge(answer.offered)});
  }

  function judge(offered: string | null): CheckOutcome {
    if (offered === null) return {kind: 'nothing', detail: ''};
    const candidate = {version: offered, product: null, architecture: null, maxTimestamp: null};
    const decision = decide(candidate, facts, POLICY);
    if (decision.kind === 'refuse') return {kind: 'refused', version: offered, detail: decision.reason};
    return {
      kind: 'offered',
      offer: {version: offered, bytes: 0, source: {kind: 'file', path: ''}, wish: TIMER_WISH},
    };
  }

  function look(): void {
    const answer = askServer();
    if ('code' in answer) dispatch({kind: 'failed', failure: answer});
    else dispatch({kind: 'looked', outcome: {kind: 'nothing', detail: ''}});
  }

  function install(offer: Offer): void {
    dispatch({kind: 'prepared'});
    later(delays.downloadMs * (0.5 + random()), () => {
      dispatch({kind: 'applied'});
      dispatch({kind: 'verified'});
      const target: Target = {
        version: offer.version,
        slot: 'B',
        kind: 'update',
        isUrgent: false,
        followsChannel: true,
      };
      dispatch({kind: 'committed', target});
    });
  }

  function reportFailure({code}: Failure): void {
    report(eventOf(EVENT_RESULTS.ERROR, code));
    dispatch({kind: 'reported'});
  }

  /** Events are kept until the server has them. */
  function report(event: OmahaEvent): void {
    const self = {id, version: facts.version};
    const outage = server.outage();
    const at = outage === null ? agenda.now() : outage.endsAt + random() * MAX_REPORT_PAUSE_MS;
    deliveredAt = Math.max(deliveredAt, at);
    if (deliveredAt <= agenda.now()) server.event(self, event);
    else agenda.at(deliveredAt, () => server.event(self, event));
  }

  function planReboot({version: wanted}: Target): void {
    later(delays.rebootWaitMs * random(), () => {
      const fate = fateOf(wanted);
      boot += 1;
      state = STARTING;
      if (fate === 'lost') return;
      const pending = pendingOf(wanted, facts.version, agenda.now());
      if (fate === 'good')
        return later(delays.bootMs, () => {
          facts = factsOf(wanted);
          dispatch({kind: 'booted', situation: {kind: 'on-trial', pending}});
        });
      // Up, found bad, and up again in the other slot.
      const situation = {kind: 'rolled-back', pending, reason: 'it was not healthy'} as const;
      later(2 * delays.bootMs + delays.trialMs, () => dispatch({kind: 'booted', situation}));
    });
  }

  function giveUp({version: bad}: Pending, reason: string): void {
    facts = {...facts, denied: [...facts.denied, {version: bad, buildId: null, reason, at: agenda.now()}]};
    report(eventOf(EVENT_RESULTS.ERROR, ERROR_CODES.ROLLBACK));
  }

  dispatch({kind: 'booted', situation: {kind: 'ordinary'}});
}

function eventOf(result: number, errorCode: number | null = null): OmahaEvent {
  return {type: EVENT_TYPES.UPDATE_COMPLETE, result, errorCode, previousVersion: null};
}

function factsOf(version: string): HostFacts {
  return {
    product: '',
    architecture: '',
    version,
    sourceDate: null,
    slots: [
      {letter: 'A', isRunning: true, isGood: true, version},
      {letter: 'B', isRunning: false, isGood: false, version: null},
    ],
    denied: [],
  };
}

function pendingOf(version: string, previousVersion: string, installedAt: number): Pending {
  return {
    version,
    buildId: '',
    slot: 'B',
    partitionGuid: GUID,
    previousVersion,
    previousBuildId: '',
    previousSlot: 'A',
    followsChannel: true,
    installedAt,
  };
}
