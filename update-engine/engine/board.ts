/** What changes while the engine runs and is no document: progress, plans, reasons. Whoever waits for a change hears of it. */
import type {Status} from '../api/status.ts';
import type {State} from '../machine/states.ts';
import {createMeter} from './meter.ts';

export interface Board {
  readonly revision: number;
  readonly state: State;
  readonly stateSince: number;
  readonly nextCheckAt: number | null;
  /** Why there is no reboot yet. */
  readonly rebootReason: string | null;
  progress(now: number): Status['progress'];
  setState(state: State, now: number): void;
  setProgress(done: {bytes: number; totalBytes: number}, now: number): void;
  setNextCheck(at: number | null): void;
  setRebootReason(reason: string | null): void;
  /** Something else has changed that a status would show. */
  touch(): void;
  changed(revision: number, signal: AbortSignal): Promise<void>;
}

/** Progress comes with every block; nobody needs to hear of it more often. */
const PROGRESS_STEP_MS = 500;

export function createBoard(initial: State, now: number): Board {
  let revision = 1;
  let [state, stateSince] = [initial, now];
  let nextCheckAt: number | null = null;
  let rebootReason: string | null = null;
  let done: {bytes: number; totalBytes: number} | null = null;
  let meter = createMeter();
  let toldAt = 0;
  const waiting = new Set<() => void>();

  function touch(): void {
    revision += 1;
    for (const wake of waiting) wake();
  }

  return {
    get revision() {
      return revision;
    },
    get state() {
      return state;
    },
    get stateSince() {
      return stateSince;
    },
    get nextCheckAt() {
      return nextCheckAt;
    },
    get rebootReason() {
      return rebootReason;
    },
    progress(at) {
      if (done === null) return null;
      const bytesPerSecond = meter.bytesPerSecond(at);
      const left = done.totalBytes - done.bytes;
      const secondsLeft = bytesPerSecond === null || bytesPerSecond < 1 ? null : left / bytesPerSecond;
      return {doneBytes: done.bytes, totalBytes: done.totalBytes, bytesPerSecond, secondsLeft};
    },
    setState(next, at) {
      if (next.kind !== state.kind) stateSince = at;
      state = next;
      if (state.kind !== 'downloading') [done, meter] = [null, createMeter()];
      if (state.kind !== 'need-reboot') rebootReason = null;
      touch();
    },
    setProgress(next, at) {
      if (state.kind !== 'downloading') return;
      done = next;
      meter.add(next.bytes, at);
      if (at - toldAt < PROGRESS_STEP_MS) return;
      toldAt = at;
      touch();
    },
    setNextCheck(at) {
      nextCheckAt = at;
      touch();
    },
    setRebootReason(reason) {
      if (reason === rebootReason) return;
      rebootReason = reason;
      touch();
    },
    touch,
    changed(seen, signal) {
      if (seen !== revision || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    },
  };
}
