/** The timers of the engine: when to check, when to look whether the slot is good, when to ask for the reboot again. */
import {type LastCheck, firstCheck, nextCheck, type NextCheck as Plan, soonDelayMs} from '../schedule.ts';
import {type Event, type NextCheck, TIMER_WISH, type Target} from '../machine/states.ts';
import type {Board} from './board.ts';
import type {UpdateSettings} from '../../formats/update-conf.ts';
import {parseRebootSettings} from '../../formats/reboot-settings.ts';
import type {Coordinator, RebootAnswer} from '../reboot/coordinator.ts';
import type {EngineParts} from './parts.ts';

/** The health checks write the mark; nothing tells us, and reading the table costs next to nothing. */
const TRIAL_LOOK_MS = 10_000;
/** After a failure that nobody has foreseen. */
const REBOOT_RETRY_MS = 5 * 60_000;
/** systemd has taken the restart on; if the machine is still there after this, something holds it. */
const REBOOT_AGAIN_MS = 10 * 60_000;
/** So long the last events may take to reach the server before the machine goes down. */
const FAREWELL_MS = 20_000;

export interface Planner {
  planCheck(next: NextCheck): void;
  /** What the last check was like, for the plan after it. */
  noteCheck(last: Pick<LastCheck, 'status' | 'pollSeconds'>): void;
  watchTrial(): void;
  planReboot(target: Target): void;
  cancelReboot(): void;
  stop(): void;
}

export function createPlanner(
  parts: Pick<
    EngineParts,
    | 'clock'
    | 'random'
    | 'journal'
    | 'slots'
    | 'reporter'
    | 'conf'
    | 'reboot'
    | 'uptimeMs'
    | 'identity'
    | 'bootImage'
  >,
  coordinator: Coordinator,
  board: Board,
  dispatch: (event: Event) => void,
): Planner {
  const {clock, random, journal, slots, reporter, conf} = parts;
  let last: LastCheck = {intervalMs: null, status: null, pollSeconds: null};
  let cancelCheck = (): void => undefined;
  let cancelTrial = (): void => undefined;
  let cancelAsking = (): void => undefined;
  let asking = new AbortController();
  const stopped = new AbortController();

  function delayOf(next: NextCheck): number {
    if (next === 'soon') return soonDelayMs(random());
    const plan: Plan = next === 'first' ? firstCheck(random()) : nextCheck(last, random());
    last = {...last, intervalMs: plan.intervalMs};
    if (next !== 'first') return plan.delayMs;
    // An engine that starts again in a host that has been up for long need not wait as after a boot.
    const waited = parts.uptimeMs();
    return waited > plan.delayMs ? soonDelayMs(random()) : plan.delayMs - waited;
  }

  async function wake(): Promise<void> {
    await conf.reload();
    if (!stopped.signal.aborted) dispatch({kind: 'woken', wish: TIMER_WISH});
  }

  async function isFoundGood(): Promise<boolean> {
    if (parts.bootImage !== undefined) return parts.bootImage.isGood();
    const now = await slots.look();
    return now?.slots.find(({letter}) => letter === slots.place?.active)?.successful === true;
  }

  async function lookAtTrial(): Promise<void> {
    const isGood = await isFoundGood();
    if (stopped.signal.aborted) return;
    if (isGood) dispatch({kind: 'became-good'});
    else cancelTrial = clock.after(TRIAL_LOOK_MS, () => void lookAtTrial());
  }

  async function askForReboot(target: Target, signal: AbortSignal): Promise<void> {
    const {settings} = await conf.reload();
    const {kind, version} = target;
    const plan = {kind, version, previousVersion: parts.identity.version};
    const pause = kind === 'image' && !target.isUrgent ? pauseForImage(settings, parts.uptimeMs()) : null;
    const answer = pause ?? (await coordinator.ask(plan, signal, target.isUrgent));
    if (isOver(signal)) return;
    let againMs: number;
    if (answer.kind === 'wait') {
      board.setRebootReason(answer.reason);
      againMs = answer.againMs;
    } else {
      board.setRebootReason('the machine is about to restart');
      const by = target.isUrgent ? 'told to by an operator' : `by REBOOT_STRATEGY=${settings.strategy}`;
      const where = target.slot === null ? '' : ` in slot ${target.slot}`;
      journal.info(`restarting into ${version}${where}, ${by}`);
      await reporter.drain(FAREWELL_MS);
      if (isOver(signal)) return;
      await parts.reboot();
      board.setRebootReason('the restart was asked for, and something holds it back');
      againMs = REBOOT_AGAIN_MS;
    }
    if (!isOver(signal)) cancelAsking = clock.after(againMs, () => dispatch({kind: 'reboot-due'}));
  }

  function cancelReboot(): void {
    asking.abort();
    cancelAsking();
  }

  return {
    planCheck(next) {
      cancelCheck();
      if (stopped.signal.aborted) return;
      const ms = delayOf(next);
      board.setNextCheck(clock.now() + ms);
      cancelCheck = clock.after(ms, () => {
        board.setNextCheck(null);
        wake().catch((error: unknown) => journal.error(`the check did not begin: ${String(error)}`));
      });
    },
    noteCheck({status, pollSeconds}) {
      last = {...last, status, pollSeconds};
    },
    watchTrial() {
      cancelTrial();
      void lookAtTrial();
    },
    planReboot(target) {
      cancelReboot();
      if (stopped.signal.aborted) return;
      const current = new AbortController();
      asking = current;
      askForReboot(target, current.signal).catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        journal.error(`no restart: ${text}`);
        board.setRebootReason(`the restart failed: ${text}`);
        if (!current.signal.aborted)
          cancelAsking = clock.after(REBOOT_RETRY_MS, () => dispatch({kind: 'reboot-due'}));
      });
    },
    cancelReboot,
    stop() {
      stopped.abort();
      cancelCheck();
      cancelTrial();
      cancelReboot();
    },
  };
}

/**
 * Whoever hands out boot images may not have the newer one yet, and a ROOT in memory does not know that it was tried:
 * only the time since the start keeps such a host from restarting over and over.
 */
function pauseForImage({strategy, reboot}: UpdateSettings, uptimeMs: number): RebootAnswer | null {
  // It never restarts by itself, and the gate says so.
  if (strategy === 'off') return null;
  const interval = parseRebootSettings(reboot).settings.imageIntervalMs;
  if (interval.kind === 'bad') return {kind: 'wait', reason: interval.problem, againMs: REBOOT_RETRY_MS};
  const left = interval.value - uptimeMs;
  if (left <= 0) return null;
  const hours = Math.ceil(left / 3_600_000);
  const reason =
    `this host restarts for it in ${hours} h at the earliest (REBOOT_IMAGE_INTERVAL), ` +
    'because its boot server may still have the old one; caissonctl reboot does it before';
  return {kind: 'wait', reason, againMs: Math.min(left, LONGEST_PAUSE_MS)};
}

/** Someone may have changed the configuration. */
const LONGEST_PAUSE_MS = 60 * 60_000;

/** Asked again after a wait. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
