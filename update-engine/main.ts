/** The update engine's entry: environment, clock and signals come in here, and nowhere else. */
import {createJournal} from '../platform/journal.ts';
import {createNotifier} from '../platform/systemd.ts';
import {ApiError} from './api/protocol.ts';
import {serveApi} from './api/server.ts';
import type {Status} from './api/status.ts';
import {readIdentity} from './identity.ts';
import {HOST_PATHS} from './paths.ts';

const journal = createJournal((text) => process.stderr.write(text));
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
const notifier = createNotifier({
  socket: process.env['NOTIFY_SOCKET'],
  watchdogUsec: process.env['WATCHDOG_USEC'],
  pid: process.pid,
  warn: (text) => journal.warn(text),
});

const identity = await readIdentity(HOST_PATHS);
const startedAt = Date.now();
const status: Status = {
  format: 1,
  revision: 1,
  engine: {pid: process.pid, startedAt},
  os: identity,
  slot: null,
  isGood: null,
  slots: [],
  nextBoot: null,
  state: 'IDLE',
  stateSince: startedAt,
  offer: null,
  progress: null,
  waiting: ['this engine does not check for updates yet'],
  lastCheck: null,
  nextCheckAt: null,
  lastUpdate: null,
  lastError: null,
  pending: null,
  denied: [],
  config: {server: null, group: '', pin: null, highest: null, allowDowngrade: false, problems: []},
  strategy: {configured: 'off', effective: 'off', note: null},
  health: null,
  counters: {checks: 0, checkFailures: 0, updates: 0, updateFailures: 0},
};
const refuse = () => Promise.reject(new ApiError('refused', 'this engine changes nothing yet'));
const api = await serveApi(
  HOST_PATHS,
  {
    status: () => Promise.resolve(status),
    changed: (_revision, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), {once: true})),
  },
  {
    check: refuse,
    update: refuse,
    rollback: refuse,
    reset: refuse,
    markGood: refuse,
    denyAdd: refuse,
    denyRemove: refuse,
  },
);
await notifier.ready();
notifier.status('IDLE');
const feeding = notifier.watchdogIntervalMs;
const timer = feeding === null ? null : setInterval(() => notifier.feedWatchdog(), feeding);
stopped.signal.addEventListener('abort', () => {
  if (timer !== null) clearInterval(timer);
  void notifier.stopping().then(() => api.close());
});
