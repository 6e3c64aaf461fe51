/** The update engine in this process, with a world around it; and what a test does to follow it. */
import {createHash, randomBytes} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import {guidFromHex} from '../../formats/guid.ts';
import {createHttpClient} from '../../platform/http.ts';
import {type EngineClient, createEngineClient} from '../../update-engine/api/client.ts';
import type {Status} from '../../update-engine/api/status.ts';
import {type DaemonOptions, runDaemon} from '../../update-engine/daemon.ts';
import {type SlotDisk, imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {type EngineWorld, IDENTITY} from './engine-world.ts';
import {openDoors} from './reboot-doors.ts';

export interface RunningEngine {
  client: EngineClient;
  /** Lines of its journal. */
  lines: readonly string[];
  /** How often a restart of the machine was asked for. */
  reboots(): number;
  /** Waits until the status is as wanted; fails when it does not come to that. */
  until(isReached: (status: Status) => boolean, what: string): Promise<Status>;
  stop(): Promise<void>;
}

export interface EngineChanges {
  version?: string;
  active?: 'A' | 'B';
  disk?: SlotDisk;
  world?: Partial<DaemonOptions>;
}

const DEADLINE_MS = 180_000;

/** Starts it; checks come when they are asked for. */
export async function startEngine(world: EngineWorld, changes: EngineChanges = {}): Promise<RunningEngine> {
  const {version = '1.0.0', active = 'A', disk = imageSlotDisk(world.disk)} = changes;
  const stopped = new AbortController();
  const lines: string[] = [];
  let reboots = 0;
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  const log = (text: string): void => void lines.push(text);
  const finished = runDaemon({
    paths: world.paths,
    identity: {...IDENTITY, version},
    clock: {
      now: () => Date.now(),
      after(ms, call) {
        const timer = setTimeout(call, Math.min(ms, 2 ** 31 - 1)).unref();
        return () => clearTimeout(timer);
      },
      sleep: (ms, signal) => sleep(ms, undefined, {signal}),
    },
    random: () => 0.5,
    randomGuid: () => guidFromHex(createHash('sha256').update(randomBytes(16)).digest('hex').slice(0, 32)),
    journal: {error: log, warn: log, info: log, debug: () => undefined},
    createHttp: createHttpClient,
    reboot: () => Promise.resolve(void (reboots += 1)),
    rebootDoors: openDoors,
    showStatus: () => undefined,
    pid: process.pid,
    uptimeMs: () => 0,
    findDisk: () => Promise.resolve({disk, active, idle: active === 'A' ? 'B' : 'A'}),
    notifier: {
      ready: () => Promise.resolve(isReady()),
      status: () => undefined,
      stopping: () => Promise.resolve(),
      watchdogIntervalMs: null,
      feedWatchdog: () => undefined,
    },
    signal: stopped.signal,
    ...changes.world,
  });
  await Promise.race([ready, finished]);
  const client = createEngineClient(world.paths);

  async function until(isReached: (status: Status) => boolean, what: string): Promise<Status> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    let status = await client.status();
    while (!isReached(status)) {
      if (deadline.aborted) {
        throw new Error(`never ${what}: ${JSON.stringify(status, undefined, 1)}\n${lines.join('\n')}`);
      }
      status = await client.statusAfter(status.revision, deadline).catch(() => client.status());
    }
    return status;
  }

  return {
    client,
    lines,
    reboots: () => reboots,
    until,
    async stop() {
      stopped.abort();
      await finished;
    },
  };
}
