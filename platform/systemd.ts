/**
 * What a service and systemd say to each other: readiness, a line of status, the watchdog, and reboot.
 *
 * By `systemd-notify`, because Node cannot send a datagram to a Unix socket and a native module for it would have to be
 * built for the host. A call costs a few milliseconds of processor time, so status lines are sent only when they
 * change, and the watchdog is fed three times in its period, not more.
 */
import {exec} from './exec.ts';

export interface Notifier {
  ready(): Promise<void>;
  /** Shown by `systemctl status`; the same text again is not sent. */
  status(text: string): void;
  stopping(): Promise<void>;
  /** How often `feedWatchdog` should be called; null when nobody watches. */
  readonly watchdogIntervalMs: number | null;
  feedWatchdog(): void;
}

export interface NotifierOptions {
  /** NOTIFY_SOCKET of the environment; without it nothing is sent. */
  socket: string | undefined;
  /** WATCHDOG_USEC of the environment. */
  watchdogUsec: string | undefined;
  pid: number;
  warn: (text: string) => void;
}

const TIMEOUT_MS = 10_000;
const MAX_STATUS_CHARACTERS = 200;

export function createNotifier({socket, watchdogUsec, pid, warn}: NotifierOptions): Notifier {
  let shown = '';
  let last: Promise<void> = Promise.resolve();
  const periodMs = socket === undefined ? 0 : Number(watchdogUsec ?? 0) / 1000;

  /** One after the other: a status must not overtake a later one. */
  function send(words: readonly string[]): Promise<void> {
    if (socket === undefined) return Promise.resolve();
    last = last.then(async () => {
      try {
        await exec(['systemd-notify', `--pid=${pid}`, ...words], {timeoutMs: TIMEOUT_MS});
      } catch (error) {
        warn(`systemd was not told ${words.join(' ')}: ${error instanceof Error ? error.message : ''}`);
      }
    });
    return last;
  }

  return {
    watchdogIntervalMs: periodMs > 0 ? Math.max(1000, Math.floor(periodMs / 3)) : null,
    ready: () => send(['--ready']),
    stopping: () => send(['STOPPING=1']),
    feedWatchdog: () => void send(['WATCHDOG=1']),
    status(text) {
      const line = text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MAX_STATUS_CHARACTERS);
      if (line === shown) return;
      shown = line;
      void send([`--status=${line}`]);
    },
  };
}

/** Asks for a restart of the machine; returns when systemd has taken it on. */
export async function rebootMachine(signal?: AbortSignal): Promise<void> {
  await exec(['systemctl', 'reboot', '--no-wall'], {timeoutMs: 60_000, signal});
}

/** Returns when a unit is up; for `Type=oneshot` that is when it has ended. Throws ExecError when it failed. */
export async function startUnit(unit: string, signal: AbortSignal): Promise<void> {
  await exec(['systemctl', 'start', '--', unit], {signal});
}

/** Returns when nothing of it runs any more. */
export async function stopUnit(unit: string): Promise<void> {
  await exec(['systemctl', 'stop', '--', unit], {timeoutMs: 2 * 60_000});
}
