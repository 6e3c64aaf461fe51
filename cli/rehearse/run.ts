/**
 * A fleet of simulated hosts and one group's rollout, in one process and on virtual time: the server's own ledger on one
 * side, the engine's own state machine on the other, nothing between them but calls.
 */
import {openLedger} from '../../server/rollout/ledger.ts';
import {beginRollout} from '../../server/rollout/state.ts';
import {happeningOf} from '../../server/rollout/member.ts';
import {placeOf} from '../../server/rollout/order.ts';
import type {RolloutPolicy} from '../../server/rollout/policy.ts';
import {createAgenda} from './agenda.ts';
import {createChance} from './chance.ts';
import {type Delays, type Fate, type Server, startHost} from './host.ts';

export interface Scenario {
  readonly machines: number;
  readonly seed: string;
  readonly policy: RolloutPolicy;
  /** Of the machines, 0 to 1: those on which the release does not come up. */
  readonly failing: number;
  /** What becomes of these. */
  readonly how: Exclude<Fate, 'good'>;
  /** When the release is published; milliseconds since 1970. */
  readonly startAt: number;
  /** Virtual time after which it ends in any case. */
  readonly limitMs: number;
  /** From the start on, in which the server answers with HTTP status 503; null for none. */
  readonly outage: {readonly afterMs: number; readonly lengthMs: number} | null;
  readonly delays: Delays;
}

export interface Sample {
  /** Since the release was published. */
  readonly ms: number;
  readonly granted: number;
  readonly good: number;
  readonly hit: number;
}

export interface Rehearsal {
  /** Machines that were ever granted the release. */
  readonly granted: number;
  readonly good: number;
  /** Machines that met a release that does not come up there. */
  readonly hit: number;
  readonly hitBeforeHalt: number;
  readonly inFlightAtHalt: number;
  readonly halt: {readonly ms: number; readonly reason: string} | null;
  readonly checks: number;
  readonly events: number;
  /** Of virtual time. */
  readonly ms: number;
  readonly isOver: boolean;
  /** One for each quarter of an hour, and the end. */
  readonly samples: readonly Sample[];
}

const OLD = '1.0.0';
const NEW = '1.1.0';
/** The fleet is up and asks at all times by then. */
const BEFORE_MS = 2 * 3_600_000;
const SPREAD_MS = 45 * 60_000;
const SAMPLE_MS = 15 * 60_000;

export function rehearse(scenario: Scenario): Rehearsal {
  const {machines, seed, policy, failing, how, startAt, limitMs, outage, delays} = scenario;
  const agenda = createAgenda(startAt - BEFORE_MS);
  const random = createChance(seed);
  const ledger = openLedger({policy, state: beginRollout(null, agenda.now()), members: []});
  const granted = new Set<string>();
  const hit = new Set<string>();
  let [checks, events] = [0, 0];
  let atHalt: {hit: number; inFlight: number} | null = null;

  function noteHalt(): void {
    const {state, inFlight} = ledger.summary();
    if (state.stopped !== null) atHalt ??= {hit: hit.size, inFlight};
  }

  const server: Server = {
    outage() {
      if (outage === null) return null;
      const begins = startAt + outage.afterMs;
      const endsAt = begins + outage.lengthMs;
      return agenda.now() >= begins && agenda.now() < endsAt ? {status: 503, endsAt} : null;
    },
    check({id, version}) {
      checks += 1;
      const verdict = ledger.ask({id, version, prefix: ''}, agenda.now());
      noteHalt();
      if (verdict.kind !== 'grant') return null;
      granted.add(id);
      return verdict.version;
    },
    event(host, event) {
      events += 1;
      const happening = happeningOf(event);
      if (happening === null) ledger.see(host, agenda.now());
      else ledger.hear(host, happening, agenda.now());
      noteHalt();
    },
  };
  for (let index = 0; index < machines; index += 1) {
    const id = `machine-${index}`;
    const isFailing = placeOf(`${seed} fails`, id) < failing;
    const fateOf = (): Fate => {
      if (!isFailing) return 'good';
      hit.add(id);
      return how;
    };
    const options = {id, version: OLD, agenda, random, server, delays, fateOf};
    agenda.at(agenda.now() + SPREAD_MS * random(), () => startHost(options));
  }
  agenda.at(startAt, () => ledger.setTarget({version: NEW, allowDowngrade: false}, startAt));

  const samples: Sample[] = [];
  const sample = (): void => {
    const {good} = ledger.summary().outcomes;
    samples.push({ms: Math.round(agenda.now() - startAt), granted: granted.size, good, hit: hit.size});
  };
  let isOver = false;
  const goesOn = (): boolean => !isOver && agenda.now() - startAt < limitMs;
  const look = (): void => {
    ledger.advance(agenda.now());
    noteHalt();
    sample();
    const {state, inFlight, counts} = ledger.summary();
    isOver = inFlight === 0 && (state.stopped !== null || counts.waiting === 0);
    if (!isOver) agenda.at(agenda.now() + SAMPLE_MS, look);
  };
  agenda.at(startAt, look);
  while (goesOn() && agenda.next());

  const {state, outcomes} = ledger.summary();
  const {hit: hitBeforeHalt, inFlight: inFlightAtHalt} = (atHalt as {
    hit: number;
    inFlight: number;
  } | null) ?? {
    hit: hit.size,
    inFlight: 0,
  };
  return {
    granted: granted.size,
    good: outcomes.good,
    hit: hit.size,
    hitBeforeHalt,
    inFlightAtHalt,
    halt:
      state.stopped === null
        ? null
        : {ms: Math.round(state.stopped.at - startAt), reason: state.stopped.reason},
    checks,
    events,
    ms: Math.round(agenda.now() - startAt),
    isOver,
    samples,
  };
}
