/**
 * The engine as a service: opens what it needs, serves the sockets, tells systemd, writes the metrics, and stops within
 * seconds when it is told to.
 */
import {mkdir} from 'node:fs/promises';
import {dirname} from 'node:path';
import {writeFileAtomic} from '../platform/files.ts';
import type {Notifier} from '../platform/systemd.ts';
import {serveApi} from './api/server.ts';
import {readConf} from './engine/conf.ts';
import {type Engine, createEngine} from './engine/engine.ts';
import {openHistory} from './engine/history.ts';
import {omahaHost, httpOptions} from './engine/host-facts.ts';
import {type RunningDisk, openHostSlots} from './engine/host-slots.ts';
import type {ConfHolder, World} from './engine/parts.ts';
import {openReporter} from './engine/reporter.ts';
import {reportEvent} from './omaha/client.ts';
import {openState} from './state/store.ts';

export interface DaemonOptions extends World {
  /** Throws SlotError when this host runs from no slot. */
  findDisk: () => Promise<RunningDisk>;
  notifier: Notifier;
  signal: AbortSignal;
}

/** The file is for a collector that comes by every quarter of a minute or so. */
const METRICS_PAUSE_MS = 15_000;
/** Times in it are absolute, so that a file without changes stays true; rewritten now and then all the same. */
const METRICS_QUIET_MS = 5 * 60_000;

/** Runs until the signal. Throws when it cannot begin: state or sockets that cannot be had. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const {paths, identity, clock, journal, notifier, randomGuid} = options;
  const warn = (text: string): void => journal.warn(text);
  const state = await openState(paths.state, warn);
  const history = await openHistory(state, identity.version);
  const conf = await holdConf(() => readConf(paths), warn);
  const {place, absence} = options.bootImage === undefined ? await find(options.findDisk) : FROM_IMAGE;
  if (absence !== null) journal.warn(absence);
  const slots = openHostSlots(place, absence, {now: () => clock.now(), randomGuid, warn});
  const reporter = await openReporter({
    state,
    warn,
    later: (ms, call) => clock.after(ms, call),
    async send(event, stop) {
      const {settings} = conf.current();
      // A folder of files hears nothing.
      if (settings.server.kind !== 'url') return;
      const http = options.createHttp(await httpOptions(settings));
      try {
        const host = omahaHost(identity, settings, history.read());
        await reportEvent({http, url: settings.server.url}, host, event, stop);
      } finally {
        await http.close();
      }
    },
  });
  const engine = createEngine({...options, state, history, slots, reporter, conf});
  journal.info(
    `${identity.version} (${identity.buildId})${place === null ? '' : ` in slot ${place.active}`}`,
  );
  const api = await serveApi(paths, engine, engine.orders);
  const metrics = keepMetrics(engine, paths.metrics, options);
  const stopFeeding = feedWatchdog(notifier);
  try {
    await engine.begin();
    await metrics.write();
    await notifier.ready();
    await metrics.untilStopped();
  } finally {
    await notifier.stopping();
    await engine.stop();
    await api.close();
    stopFeeding();
  }
}

const FROM_IMAGE = {
  place: null,
  absence: 'this host runs from its boot image, which updates do not change; it is told of newer ones',
};

async function find(
  findDisk: () => Promise<RunningDisk>,
): Promise<{place: RunningDisk | null; absence: string | null}> {
  try {
    return {place: await findDisk(), absence: null};
  } catch (error) {
    return {place: null, absence: error instanceof Error ? error.message : String(error)};
  }
}

/** Findings are logged when they change, not with every reading. */
async function holdConf(
  read: () => ReturnType<typeof readConf>,
  warn: (text: string) => void,
): Promise<ConfHolder> {
  let logged = '';
  const take = async (): ReturnType<typeof readConf> => {
    const next = await read();
    const findings = [...next.errors, ...next.warnings].map(({text}) => text).join('\n');
    if (findings !== logged && findings !== '') warn(findings);
    logged = findings;
    return next;
  };
  let conf = await take();
  return {
    current: () => conf,
    async reload() {
      conf = await take();
      return conf;
    },
  };
}

/** As long as this process turns, so does the watchdog: a loop that is stuck does not come here. */
function feedWatchdog(notifier: Notifier): () => void {
  const every = notifier.watchdogIntervalMs;
  if (every === null) return () => undefined;
  const timer = setInterval(() => notifier.feedWatchdog(), every);
  return () => clearInterval(timer);
}

/** With every change, but not more often than a collector looks; the first one at once. */
function keepMetrics(
  engine: Engine,
  path: string,
  {clock, journal, signal}: DaemonOptions,
): {write(): Promise<void>; untilStopped(): Promise<void>} {
  let complaint = '';

  async function write(): Promise<void> {
    try {
      await mkdir(dirname(path), {recursive: true, mode: 0o755});
      await writeFileAtomic(path, await engine.metrics());
      complaint = '';
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== complaint) journal.warn(`no metrics: ${text}`);
      complaint = text;
    }
  }

  async function untilStopped(): Promise<void> {
    while (!signal.aborted) {
      const {revision} = await engine.status();
      await write();
      const quiet = new AbortController();
      const cancel = clock.after(METRICS_QUIET_MS, () => quiet.abort());
      await engine.changed(revision, AbortSignal.any([signal, quiet.signal]));
      cancel();
      await clock.sleep(METRICS_PAUSE_MS, signal).catch(() => undefined);
    }
  }

  return {write, untilStopped};
}
