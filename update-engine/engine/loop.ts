/**
 * Drives the state machine: events in, effects out, at most one job beside.
 *
 * INVARIANTS
 * - Events are handled one after the other, each with all its effects, before the next. `dispatch` only queues, so an
 *   effect may dispatch without ever re-entering.
 * - At most one job runs. A job that was aborted may take a while to close its files; the next one waits for that, and
 *   whatever the old one still says is dropped.
 * - An effect must not wait for the job or for an event: both would wait for the effect.
 * - An effect that fails is logged. What must not happen without it stands behind it in the same effect.
 */
import type {Journal} from '../../platform/journal.ts';
import {STARTING, step} from '../machine.ts';
import {type Effect, type Event, type Job, type Settings, type State, jobOf} from '../machine/states.ts';

export type WorldEffect = Exclude<Effect, {kind: 'job' | 'abort-job' | 'log'}>;

export interface LoopOptions {
  settings: () => Settings;
  perform: (effect: WorldEffect) => Promise<void>;
  /** Gives the event that ends the job; `tell` those on the way. What it throws, `explain` turns into an event. */
  runJob: (job: Job, tell: (event: Event) => void, signal: AbortSignal) => Promise<Event>;
  explain: (error: unknown, state: State) => Event;
  onState: (state: State) => void;
  /** A new state, when all that it led to has been done. */
  onSettled: (state: State) => Promise<void>;
  journal: Journal;
}

export interface Loop {
  state(): State;
  dispatch(event: Event): void;
  /** Resolves when every event so far has been handled, with its effects. */
  settled(): Promise<void>;
  /** Aborts the job, waits for its end, and handles what it still came to. */
  stop(): Promise<void>;
}

export function createLoop(options: LoopOptions): Loop {
  const {journal} = options;
  let state: State = STARTING;
  let queue: Promise<void> = Promise.resolve();
  let job: {abort: AbortController; done: Promise<void>} | null = null;
  let isStopping = false;

  function dispatch(event: Event): void {
    queue = queue.then(() => handle(event));
  }

  async function handle(event: Event): Promise<void> {
    const next = step(state, event, options.settings());
    const hasChanged = next.state !== state;
    state = next.state;
    if (hasChanged) options.onState(state);
    for (const effect of next.effects) {
      if (effect.kind === 'job') startJob(effect.job);
      else if (effect.kind === 'abort-job') job?.abort.abort();
      else if (effect.kind === 'log') journal[effect.level](effect.text);
      else
        await options
          .perform(effect)
          .catch((error: unknown) => journal.error(`${effect.kind}: ${textOf(error)}`));
    }
    if (hasChanged)
      await options
        .onSettled(state)
        .catch((error: unknown) => journal.error(`${state.kind}: ${textOf(error)}`));
  }

  function startJob(what: Job): void {
    if (isStopping) return;
    const before = job?.done ?? Promise.resolve();
    const abort = new AbortController();
    const isCurrent = (): boolean => job?.abort === abort && !abort.signal.aborted;
    const tell = (event: Event): void => {
      if (isCurrent()) dispatch(event);
    };
    const run = async (): Promise<void> => {
      await before;
      if (abort.signal.aborted) return;
      try {
        const event = await options.runJob(what, tell, abort.signal);
        // Done is done: a commit that came before the stop has to be recorded.
        if (isCurrent() || event.kind === 'committed') dispatch(event);
      } catch (error) {
        await queue;
        if (isCurrent() && jobOf(state) !== null) dispatch(options.explain(error, state));
      }
    };
    job = {abort, done: run()};
  }

  return {
    state: () => state,
    dispatch,
    async settled() {
      for (let seen; seen !== queue;) {
        seen = queue;
        await seen;
      }
    },
    async stop() {
      isStopping = true;
      job?.abort.abort();
      await job?.done;
      await this.settled();
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
