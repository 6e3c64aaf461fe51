/** The update engine's entry: environment, clock, chance and signals come in here, and nowhere else. */
import {randomUUID} from 'node:crypto';
import {uptime} from 'node:os';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseGuid} from '../formats/guid.ts';
import {createHttpClient} from '../platform/http.ts';
import {createJournal} from '../platform/journal.ts';
import {abortOnSignals} from '../platform/interruption.ts';
import {createNotifier, rebootMachine} from '../platform/systemd.ts';
import {findBootImage} from './boot-image.ts';
import {runDaemon} from './daemon.ts';
import {readIdentity} from './identity.ts';
import {HOST_PATHS} from './paths.ts';
import type {Clock} from './clock.ts';
import {hostRebootDoors} from './reboot/host-doors.ts';
import {findHostDisk} from './slots/host-disk.ts';

const journal = createJournal((text) => process.stderr.write(text));
const stopped = new AbortController();
abortOnSignals(stopped, ['SIGINT', 'SIGTERM'], (signal) => new Error(`stopped by ${signal}`));
const notifier = createNotifier({
  socket: process.env['NOTIFY_SOCKET'],
  watchdogUsec: process.env['WATCHDOG_USEC'],
  pid: process.pid,
  warn: (text) => journal.warn(text),
});

const clock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  sleep: (ms, signal) => sleep(ms, undefined, {signal}),
};

try {
  const identity = await readIdentity(HOST_PATHS);
  await runDaemon({
    paths: HOST_PATHS,
    identity,
    clock,
    random: Math.random,
    randomGuid: () => parseGuid(randomUUID()),
    journal,
    createHttp: createHttpClient,
    reboot: () => rebootMachine(),
    rebootDoors: (conf) =>
      hostRebootDoors(conf, {
        machineId: identity.machineId,
        ...{clock, journal, random: Math.random, randomId: randomUUID, createHttp: createHttpClient},
        monotonicMs: () => performance.now(),
      }),
    showStatus: (text) => notifier.status(text),
    pid: process.pid,
    uptimeMs: () => 1000 * uptime(),
    bootImage: await findBootImage(),
    findDisk: async () => {
      const disk = await findHostDisk();
      return {disk, active: disk.active, idle: disk.idle};
    },
    notifier,
    signal: stopped.signal,
  });
} catch (error) {
  journal.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
