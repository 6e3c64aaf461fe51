/**
 * What the release server does on one processor, with a hundred thousand machines that it knows: questions of hosts that
 * are up to date, and a mix of what hosts say on a busy day; over HTTP with keep-alive, with the embedded database and
 * with a PostgreSQL. The server has one processor for itself, and who asks has the other.
 *
 * On a machine where others work, too, answers per second say little. So each figure is given per second of processor time
 * that the server used as well.
 */
import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {exec} from '../platform/exec.ts';
import {openStore} from '../server/store/store.ts';
import {listGroups} from '../server/store/groups.ts';
import {saveBatch} from '../server/store/machines.ts';
import {type LoadResult, percentile, runLoad} from '../test/support/http-load.ts';
import {startPostgres} from '../test/support/postgres.ts';
import {addRelease, samplePayload} from '../test/support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../test/support/server-process.ts';
import {machineOf, placeOf} from '../test/support/store-samples.ts';
import type {Figure} from './figure.ts';
import {readCpuSeconds, readMemory} from './process.ts';
import {type Fleet, VERSIONS, checkRequest, eventRequest, fleetOf, mixedRequest} from './server-requests.ts';

const MACHINES = 100_000;
const ROWS_A_BATCH = 5000;
const CONNECTIONS = 64;
/** Processor time of the server: where others work, too, a time on the wall would be a short one. */
const CPU_SECONDS = 10;
/** Until what is asked often is compiled. */
const WARMUP_CPU_SECONDS = 5;
const MAX_WALL_MS = 300_000;
const SERVER_CORE = '0';
const CLIENT_CORE = '1';
const TARGETS: Readonly<Record<string, string>> = {embedded: '2000', PostgreSQL: '4000'};

export async function benchServer(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  await exec(['taskset', '--all-tasks', '--cpu-list', '--pid', CLIENT_CORE, String(process.pid)]);
  const postgres = await startPostgres();
  try {
    const url = await postgres.createDatabase('load');
    return [
      ...(await benchDatabase('embedded', undefined, join(workDir, 'embedded'), say)),
      ...(await benchDatabase('PostgreSQL', url, join(workDir, 'postgres'), say)),
    ];
  } finally {
    await postgres.stop();
  }
}

/** `databaseUrl` of an empty PostgreSQL; the embedded database without. `profileDir` gets profiles of the server. */
export async function benchDatabase(
  name: string,
  databaseUrl: string | undefined,
  dir: string,
  say: (text: string) => void,
  profileDir?: string,
): Promise<Figure[]> {
  await mkdir(dir, {recursive: true});
  for (const version of Object.values(VERSIONS)) await addRelease(dir, version, samplePayload(version));
  const launch = (): Promise<ServerProcess> =>
    startServerProcess({
      dir,
      ...(databaseUrl === undefined ? {} : {databaseUrl}),
      ...(profileDir === undefined ? {} : {profileDir}),
      wrapper: ['taskset', '--cpu-list', SERVER_CORE],
    });
  say(`server: ${MACHINES} machines are put into the ${name} database`);
  const fresh = await launch();
  await prepare(fresh);
  await fresh.stop('SIGTERM');
  const fleet = fleetOf(MACHINES);
  await seed(databaseUrl ?? join(dir, 'server'), fleet);
  const startedAt = performance.now();
  const server = await launch();
  const startSeconds = (performance.now() - startedAt) / 1000;
  try {
    const figures: Figure[] = [{what: `server, ${name}: start`, value: round(startSeconds), unit: 's'}];
    const kinds = [
      ['checks', () => checkRequest(fleet), TARGETS[name]],
      ['events', () => eventRequest(fleet), undefined],
      ['mix', () => mixedRequest(fleet), undefined],
    ] as const;
    for (const [kind, next, target] of kinds) {
      say(`server: ${kind} with the ${name} database`);
      const found = await measure(`server, ${name}, ${kind}`, server, next, target);
      for (const {what, value, unit} of found) say(`  ${what}: ${value} ${unit}`);
      figures.push(...found);
    }
    const {resident, webAssembly} = await readMemory(server.pid);
    figures.push({what: `server, ${name}: resident`, value: megabytes(resident), unit: 'MB'});
    if (webAssembly > 0)
      figures.push({
        what: `server, ${name}: of that WebAssembly`,
        value: megabytes(webAssembly),
        unit: 'MB',
      });
    return figures;
  } finally {
    await server.stop('SIGTERM');
    await rm(dir, {recursive: true, force: true});
  }
}

async function measure(
  what: string,
  server: ServerProcess,
  next: () => Buffer,
  target: string | undefined,
): Promise<Figure[]> {
  let cpuSeconds = 0;
  const result: LoadResult = await runLoad({
    port: server.port,
    connections: CONNECTIONS,
    next,
    warmUp: () => untilUsed(server.pid, WARMUP_CPU_SECONDS),
    measure: async () => {
      cpuSeconds = await untilUsed(server.pid, CPU_SECONDS);
    },
  });
  const bad = [...result.statuses].filter(([status]) => status !== 200);
  if (bad.length > 0 || result.broken > CONNECTIONS)
    throw new Error(`${what}: ${result.broken} broken, answers with status ${JSON.stringify(bad)}`);
  return [
    {
      what: `${what}: answers per second`,
      value: Math.round(result.answers / result.seconds),
      unit: '/s',
      ...(target === undefined ? {} : {target}),
    },
    {what: `${what}: per second of processor`, value: Math.round(result.answers / cpuSeconds), unit: '/s'},
    {what: `${what}: p50`, value: round(percentile(result.latencies, 0.5)), unit: 'ms'},
    {what: `${what}: p99`, value: round(percentile(result.latencies, 0.99)), unit: 'ms'},
  ];
}

/** Until the process has used so much processor time, or for the longest time; gives what it used. */
async function untilUsed(pid: number, seconds: number): Promise<number> {
  const before = await readCpuSeconds(pid);
  const endsAt = performance.now() + MAX_WALL_MS;
  for (;;) {
    await sleep(250);
    const used = (await readCpuSeconds(pid)) - before;
    if (used >= seconds || performance.now() > endsAt) return used;
  }
}

/** Two groups: one is up to date, and one waits for its turn. */
async function prepare(server: ServerProcess): Promise<void> {
  const calls: [string, string, unknown][] = [
    ['PUT', 'channels/stable', {version: VERSIONS.current}],
    ['PUT', 'channels/beta', {version: VERSIONS.next}],
    ['PUT', 'groups/beta', {channel: 'beta', policy: {pace: '1% every 24h', halt: NEVER}}],
  ];
  for (const [method, path, body] of calls) {
    const [status, answer] = await server.call(method, path, body);
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`);
  }
}

const NEVER = {failed: null, rolledBack: null, lost: null, together: null};

async function seed(place: string, {settled, waiting}: Fleet): Promise<void> {
  const now = Date.now();
  const {signal} = new AbortController();
  const store = await openStore(placeOf(place), {now, onLost: () => undefined, signal});
  const groups = await listGroups(store.database);
  const idOf = (name: string): string => groups.find((group) => group.name === name)?.id ?? '';
  const progress = {kind: 'done'} as const;
  const machines = [
    ...settled.map((id) =>
      machineOf(idOf('stable'), {id, version: VERSIONS.current, lastSeenAt: now, progress, progressAt: now}),
    ),
    ...waiting.map((id) =>
      machineOf(idOf('beta'), {
        id,
        version: VERSIONS.current,
        lastSeenAt: now,
        progress: {kind: 'waiting', expired: null},
        progressAt: now,
      }),
    ),
  ];
  for (let at = 0; at < machines.length; at += ROWS_A_BATCH)
    await saveBatch(store.database, {
      machines: machines.slice(at, at + ROWS_A_BATCH),
      events: [],
      grants: [],
      states: new Map(),
    });
  await store.close();
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
