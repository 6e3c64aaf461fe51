/**
 * Events on their way to the server: in order, kept on disk until the server has them, tried again with growing pauses.
 * The queue is bounded; when the server is away for long, the oldest go first, because the newest tell how a host is.
 */
import type {OmahaEvent} from '../../formats/omaha/request.ts';
import {z} from '../../formats/schema.ts';
import {STATE_FILES} from '../paths.ts';
import type {StateStore} from '../state/store.ts';

const MAX_EVENTS = 32;
const FIRST_PAUSE_MS = 15_000;
const LONGEST_PAUSE_MS = 30 * 60_000;

const eventsSchema = z.object({
  events: z
    .array(
      z.object({
        type: z.int().nonnegative(),
        result: z.int().nonnegative(),
        errorCode: z.int().nonnegative().nullable(),
        previousVersion: z.string().max(128).nullable(),
      }),
    )
    .max(MAX_EVENTS),
});

export interface Reporter {
  /** Returns when the event is on disk; it is sent as soon as those before it are. */
  add(event: OmahaEvent): Promise<void>;
  /** Resolves when the queue is empty or the time is up; true when it is empty. */
  drain(timeoutMs: number): Promise<boolean>;
  /** Tries at once what was put off. */
  nudge(): void;
  stop(): Promise<void>;
}

export interface ReporterOptions {
  state: StateStore;
  /** Without a server it does nothing, and the event is forgotten. */
  send: (event: OmahaEvent, signal: AbortSignal) => Promise<void>;
  /** Calls back once, after a while; returns what stops it. */
  later: (afterMs: number, call: () => void) => () => void;
  warn: (text: string) => void;
}

export async function openReporter({state, send, later, warn}: ReporterOptions): Promise<Reporter> {
  let queue: OmahaEvent[] = (await state.read(STATE_FILES.events, eventsSchema))?.events ?? [];
  let sending: Promise<void> | null = null;
  let pauseMs = FIRST_PAUSE_MS;
  let cancelPause: (() => void) | null = null;
  const stopped = new AbortController();
  let written: Promise<void> = Promise.resolve();

  const isStopped = (): boolean => stopped.signal.aborted;

  function save(): Promise<void> {
    const events = [...queue];
    written = written
      .catch(() => undefined)
      .then(() =>
        events.length === 0 ? state.remove(STATE_FILES.events) : state.write(STATE_FILES.events, {events}),
      );
    return written;
  }

  async function sendAll(): Promise<void> {
    for (let [event] = queue; event !== undefined; [event] = queue) {
      try {
        await send(event, stopped.signal);
      } catch (error) {
        if (isStopped()) return;
        const message = error instanceof Error ? error.message : String(error);
        warn(`event ${event.type}/${event.result} was not taken, again in ${pauseMs / 1000} s: ${message}`);
        cancelPause = later(pauseMs, pump);
        pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
        return;
      }
      pauseMs = FIRST_PAUSE_MS;
      queue = queue.filter((each) => each !== event);
      await save().catch((error: unknown) => warn(`events were not recorded: ${String(error)}`));
      if (isStopped()) return;
    }
  }

  function pump(): void {
    cancelPause?.();
    cancelPause = null;
    if (sending !== null || stopped.signal.aborted || queue.length === 0) return;
    sending = sendAll().finally(() => {
      sending = null;
      // What came while the last one was being recorded.
      if (cancelPause === null) pump();
    });
  }

  async function idle(): Promise<void> {
    for (let now = sending; now !== null; now = sending) await now;
  }

  /** Ends early with the reporter, or when its result is not wanted any more. */
  function waitFor(ms: number, enough: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const ended = AbortSignal.any([stopped.signal, enough]);
      const cancel = later(ms, resolve);
      ended.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }

  pump();
  return {
    async add(event) {
      queue = [...queue, event].slice(-MAX_EVENTS);
      await save();
      pump();
    },
    nudge: pump,
    async drain(timeoutMs) {
      pump();
      // A try that fails puts the rest off, and with that the sending ends: no use waiting longer.
      const enough = new AbortController();
      await Promise.race([idle(), waitFor(timeoutMs, enough.signal)]);
      enough.abort();
      return queue.length === 0;
    },
    async stop() {
      cancelPause?.();
      stopped.abort();
      await sending;
      await written.catch(() => undefined);
    },
  };
}
