/** The engine: machine, jobs, timers and orders put together around one state. */
import {join} from 'node:path';
import type {Orders, StatusSource} from '../api/server.ts';
import type {Status} from '../api/status.ts';
import {formatMetrics} from '../api/metrics.ts';
import {type Situation, type State, statusOf, TIMER_WISH} from '../machine/states.ts';
import {STATE_FILES} from '../paths.ts';
import {createCoordinator} from '../reboot/coordinator.ts';
import {markReboot} from '../reboot/marker.ts';
import {openMemo} from '../reboot/memo.ts';
import {createOfferGate} from '../reboot/offer.ts';
import {lockKindOf, strategyOf} from '../reboot/strategy.ts';
import {judgeBoot} from '../trial.ts';
import {createBoard} from './board.ts';
import {performEffect} from './effects.ts';
import {failureOf, stageOf} from './failure.ts';
import {removeLeftovers} from './install.ts';
import {runJob} from './jobs.ts';
import {createLoop} from './loop.ts';
import {createOrders} from './orders.ts';
import type {EngineParts} from './parts.ts';
import {createPlanner} from './planner.ts';
import {openProgress} from './progress-store.ts';
import {composeStatus} from './status.ts';

export interface Engine extends StatusSource {
  readonly orders: Orders;
  /** Looks at where the last boot left things, and begins. */
  begin(): Promise<void>;
  metrics(): Promise<string>;
  /** Ends what can be taken up again, and waits for what cannot. */
  stop(): Promise<void>;
}

export function createEngine(parts: EngineParts): Engine {
  const {clock, conf, state, slots, history, journal} = parts;
  const hasServer = (): boolean => conf.current().settings.server.kind !== 'disabled';
  const startedAt = clock.now();
  const board = createBoard({kind: 'starting'}, startedAt);
  const progress = openProgress(state, slots.place?.idle ?? null);
  const stagedUki = join(state.folder, STATE_FILES.stagedUki);
  const touch = (): void => board.touch();
  const memo = openMemo(state, touch);
  const coordinator = createCoordinator({
    ...parts,
    ...parts.rebootDoors(() => conf.current()),
    memo,
    touch,
    strategy: () => strategyOf(conf.current().settings.strategy),
    offer: createOfferGate({
      concerns: () => hasServer() && followsChannel(loop.state()),
      lastAsked: () => history.read().lastCheck?.at ?? null,
      askServer: () => loop.dispatch({kind: 'woken', wish: TIMER_WISH}),
      now: () => clock.now(),
    }),
  });
  const planner = createPlanner(parts, coordinator, board, (event) => loop.dispatch(event));
  const effectTools = {
    ...parts,
    planner,
    coordinator,
    touch,
    removeLeftovers: () => removeLeftovers(stagedUki, progress),
  };
  const jobTools = {...parts, board, planner, progress, stagedUki};
  const loop = createLoop({
    journal,
    settings: () => ({hasServer: hasServer()}),
    perform: (effect) => performEffect(effect, effectTools),
    runJob: (job, tell, signal) => runJob(job, jobTools, tell, signal),
    explain: (error, at) => ({kind: 'failed', failure: failureOf(error, stageOf(at), versionOf(at))}),
    onState(next) {
      slots.forget();
      board.setState(next, clock.now());
      parts.showStatus(describe(next));
      markReboot(parts.paths.rebootMarker, next.kind === 'need-reboot' ? next.target.version : null, journal);
    },
    async onSettled(next) {
      // While an update is not put behind, nobody knows whether its release is good.
      if (isAtRest(next) && (await state.pending()) === null) coordinator.rest();
    },
  });

  /**
   * A host that runs from its boot image earns its mark with each boot. If it cannot remember whether it took the lock
   * for this restart, it gives back what it may have, and puts itself to work again.
   */
  async function judgeImage(): Promise<Situation | null> {
    const {bootImage, identity} = parts;
    if (bootImage === undefined) return null;
    const lock = lockKindOf(strategyOf(conf.current().settings.strategy));
    const isGood = await bootImage.isGood();
    if (bootImage.forgets && !isGood && memo.current() === null && lock !== null) {
      await memo.save({
        ...{lock, purpose: 'restart', version: identity.version, previousVersion: identity.version},
        ...{reason: 'this host has forgotten whether it holds the lock', hooksRan: true},
        ...{askedAt: startedAt, heldSince: null},
      });
    }
    return isGood ? {kind: 'ordinary'} : {kind: 'on-trial', pending: null};
  }

  async function status(): Promise<Status> {
    const [now, pending, denied, health, window] = await Promise.all([
      slots.look(),
      state.pending(),
      state.denied(),
      state.health(),
      coordinator.window(),
    ]);
    return composeStatus({
      engine: {pid: parts.pid, startedAt},
      identity: parts.identity,
      board,
      history: history.read(),
      slots: now,
      place: slots.place,
      absence: slots.absence,
      isLive: parts.bootImage !== undefined,
      repair: slots.repaired(),
      pending,
      denied,
      health,
      conf: conf.current(),
      strategy: strategyOf(conf.current().settings.strategy),
      coordinator,
      debt: memo.current(),
      window,
      now: clock.now(),
    });
  }

  return {
    status,
    changed: (revision, signal) => board.changed(revision, signal),
    metrics: async () => formatMetrics(await status()),
    orders: createOrders(parts, loop, touch),
    async begin() {
      await memo.load();
      await slots.repair();
      const now = await slots.look();
      const situation =
        (await judgeImage()) ??
        judgeBoot({
          pending: await state.pending(),
          health: await state.health(),
          slots: now?.slots ?? [],
          running: slots.place?.active ?? null,
          otherVersion: otherVersion(now?.slots ?? [], slots.place?.active ?? null),
        });
      loop.dispatch({kind: 'booted', situation});
      await loop.settled();
    },
    async stop() {
      planner.stop();
      await loop.stop();
      await coordinator.stop();
      await parts.reporter.stop();
    },
  };
}

function otherVersion(
  slots: readonly {letter: string; uki: {kind: string; version?: string}}[],
  running: string | null,
): string | null {
  return slots.find(({letter}) => letter !== running)?.uki.version ?? null;
}

/** The running system is good, and nobody wants a restart. */
function isAtRest({kind}: State): boolean {
  return kind !== 'starting' && kind !== 'on-trial' && kind !== 'need-reboot';
}

function followsChannel(state: State): boolean {
  return state.kind === 'need-reboot' && state.target.followsChannel;
}

function versionOf(state: State): string | null {
  return 'offer' in state ? state.offer.version : null;
}

function describe(state: State): string {
  if (state.kind === 'need-reboot') return `${statusOf(state)}: ${state.target.version}`;
  if (state.kind === 'on-trial') return `${statusOf(state)}: on trial`;
  const version = versionOf(state);
  return version === null ? statusOf(state) : `${statusOf(state)} ${version}`;
}
