/** Puts the status document together from what the engine knows and what the disk says. */
import {describeHold} from '../../formats/omaha/hold.ts';
import {parseRebootSettings} from '../../formats/reboot-settings.ts';
import {formatServer} from '../../formats/update-conf-values.ts';
import type {UpdateConf} from '../../formats/update-conf.ts';
import type {SlotStatus, Status} from '../api/status.ts';
import type {Identity} from '../identity.ts';
import {type State, statusOf} from '../machine/states.ts';
import type {SlotsNow} from '../slots/slots-now.ts';
import type {Denied, HealthReport, Pending, RebootDebt} from '../state/documents.ts';
import type {Board} from './board.ts';
import type {History} from './history.ts';
import type {DatedRepair, RunningDisk} from './host-slots.ts';
import type {GateAnswer} from '../reboot/gate.ts';
import type {Coordinator} from '../reboot/coordinator.ts';
import type {Strategy} from '../reboot/strategy.ts';

export interface StatusFacts {
  engine: Status['engine'];
  identity: Identity;
  board: Board;
  history: History;
  slots: SlotsNow | null;
  place: RunningDisk | null;
  absence: string | null;
  isLive: boolean;
  repair: DatedRepair | null;
  pending: Pending | null;
  denied: readonly Denied[];
  health: HealthReport | null;
  conf: UpdateConf;
  strategy: Strategy;
  coordinator: Pick<Coordinator, 'wantedSince' | 'attempts' | 'view' | 'aftermath'>;
  debt: RebootDebt | null;
  window: GateAnswer;
  /** Milliseconds since 1970. */
  now: number;
}

export function composeStatus(facts: StatusFacts): Status {
  const {engine, identity, board, history, slots, place, conf, strategy, health} = facts;
  const {product, architecture, version, buildId, channel} = identity;
  const {settings} = conf;
  const slotStatus = (slots?.slots ?? []).map((slot) => describeSlot(slot, place));
  const findings = [
    ...[...conf.errors, ...conf.warnings].map(({text}) => text),
    ...parseRebootSettings(settings.reboot).problems,
  ].slice(0, 90);
  return {
    format: 1,
    revision: board.revision,
    engine,
    os: {product, architecture, version, buildId, channel},
    slot: place?.active ?? null,
    isLive: facts.isLive,
    isGood: slotStatus.find(({isRunning}) => isRunning)?.successful ?? null,
    slots: slotStatus,
    nextBoot:
      slots === null ? null : {kind: slots.boot.kind, slot: slots.boot.letter, reason: slots.boot.reason},
    state: statusOf(board.state),
    stateSince: board.stateSince,
    offer: offerOf(board.state),
    progress: board.progress(facts.now),
    waiting: whyWaiting(facts),
    lastCheck: history.lastCheck,
    lastOffer: history.lastOffer,
    channel: history.channel,
    // Without a server the timer only looks whether there is one by now.
    nextCheckAt: settings.server.kind === 'disabled' ? null : board.nextCheckAt,
    lastUpdate: history.lastUpdate,
    lastError: history.lastError,
    pending: facts.pending,
    denied: [...facts.denied],
    config: {
      server: formatServer(settings.server),
      group: settings.group,
      pin: settings.pin,
      highest: settings.maxVersion,
      allowDowngrade: settings.allowDowngrade,
      problems: findings,
    },
    disk: {problems: (slots?.problems ?? []).slice(0, 20), repair: facts.repair},
    strategy: {configured: settings.strategy, effective: strategy.name, note: strategy.note},
    reboot: describeReboot(facts),
    health:
      health === null
        ? null
        : {
            at: health.at,
            version: health.version,
            outcome: health.outcome,
            failed: health.checks
              .filter(({passed}) => !passed)
              .map(({name, detail}) => (detail === '' ? name : `${name}: ${detail}`)),
          },
    counters: history.counters,
  };
}

function describeReboot({coordinator, debt, window}: StatusFacts): Status['reboot'] {
  const {wantedSince, attempts, aftermath} = coordinator;
  const gates = coordinator.view();
  return {
    wantedSince,
    blockedBy: gates.find(({answer}) => answer !== 'open')?.name ?? null,
    gates: gates.map((gate) => ({...gate})),
    window: {answer: window.kind, detail: window.detail},
    debt,
    owedBecause: aftermath.reason,
    lockAttempts: attempts,
  };
}

function describeSlot(slot: SlotsNow['slots'][number], place: RunningDisk | null): SlotStatus {
  const {letter, priority, tries, successful, partitionGuid, uki} = slot;
  const isReadable = uki.kind === 'uki';
  return {
    letter,
    isRunning: letter === place?.active,
    priority,
    tries,
    successful,
    partitionGuid,
    version: isReadable ? uki.version : null,
    buildId: isReadable ? uki.buildId : null,
  };
}

function offerOf(state: State): Status['offer'] {
  if (state.kind === 'need-reboot') return {version: state.target.version, bytes: 0};
  return 'offer' in state ? {version: state.offer.version, bytes: state.offer.bytes} : null;
}

/** Sentences without their ends, the most telling first. */
function whyWaiting({board, conf, absence, history, coordinator, now}: StatusFacts): string[] {
  const {state, rebootReason} = board;
  const reasons: string[] = [];
  if (state.kind === 'on-trial')
    reasons.push('the running system has not been found good yet, and nothing is installed before that');
  if (state.kind === 'need-reboot' && state.target.kind === 'image')
    reasons.push(`a newer boot image is available: ${state.target.version}`);
  if (state.kind === 'need-reboot')
    reasons.push(rebootReason ?? `${state.target.version} starts with the next reboot`);
  if (state.kind !== 'idle') return reasons;
  if (coordinator.aftermath.reason !== null) reasons.push(coordinator.aftermath.reason);
  if (absence !== null) reasons.push(absence);
  if (conf.settings.server.kind === 'disabled') reasons.push(conf.settings.server.reason);
  if (history.lastCheck?.outcome === 'refused') reasons.push(history.lastCheck.detail);
  const hold = history.lastOffer?.hold ?? null;
  if (hold !== null && conf.settings.server.kind === 'url') reasons.push(describeHold(hold, now));
  return reasons;
}
