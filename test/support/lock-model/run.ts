/** The model check: many hosts, real members, chaos, and then the question whether any of it cannot be. */
import {setTimeout as sleep} from 'node:timers/promises';
import {openEtcdKeeper} from '../../../coordination/etcd-lock.ts';
import {type Random, seededRandom} from '../../fuzz/random.ts';
import {keeperOptions} from '../etcd-lock.ts';
import {causeChaos} from './chaos.ts';
import {findFaults} from './checker.ts';
import {startLinkedCluster} from './cluster.ts';
import type {History, Operation} from './history.ts';
import {type World, createOperator, liveAsHost} from './hosts.ts';

export interface ModelCheckOptions {
  readonly operations: number;
  readonly hosts: number;
  /** Of the chaos and of what hosts do; what then meets what is up to the machine. */
  readonly seed: number;
  /** Slots at first, and the bounds between which an operator changes them. */
  readonly slots?: {readonly first: number; readonly least: number; readonly most: number};
  readonly onProgress?: (done: number) => void;
}

export interface ModelCheckResult {
  readonly history: History;
  readonly faults: readonly string[];
  readonly lostRaces: number;
  readonly kills: number;
  readonly linkCuts: number;
  /** From the first question to the slot. */
  readonly longestWaitMs: number;
  readonly seconds: number;
}

const SLOTS = {first: 5, least: 2, most: 8};
const FINAL_TIMEOUT_MS = 60_000;

export async function runModelCheck(options: ModelCheckOptions): Promise<ModelCheckResult> {
  const {seed, slots = SLOTS} = options;
  const startedAt = performance.now();
  const now = (): number => performance.now() - startedAt;
  const cluster = await startLinkedCluster(3);
  try {
    const quiet = openEtcdKeeper(keeperOptions(cluster, {group: 'model'}));
    await quiet.group().setMax(slots.first, AbortSignal.timeout(FINAL_TIMEOUT_MS));

    const operations: Operation[] = [];
    let lostRaces = 0;
    let longestWaitMs = 0;
    let failure: unknown;
    const isOver = (): boolean => operations.length >= options.operations || failure !== undefined;
    const worldOf = (random: Random): World => ({
      endpoints: cluster.endpoints,
      random,
      sleep,
      now,
      isOver,
      record(operation) {
        operations.push(operation);
        options.onProgress?.(operations.length);
      },
      onLostRace: () => (lostRaces += 1),
      onWaited: (ms) => (longestWaitMs = Math.max(longestWaitMs, ms)),
    });
    const operator = createOperator(worldOf(seededRandom(seed)), slots);
    // The first that breaks ends it for all.
    const watched = <T>(work: Promise<T>): Promise<T> =>
      work.catch((error: unknown) => {
        failure ??= error;
        throw error;
      });
    const chaos = watched(causeChaos({cluster, random: seededRandom(seed + 1), sleep, isOver}));
    const lives = Array.from({length: options.hosts}, (_, index) => {
      const host = `host-${String(index).padStart(4, '0')}`;
      return watched(liveAsHost(worldOf(seededRandom(seed + 2 + index)), host, operator.vanished));
    });
    await Promise.allSettled([chaos, watched(operator.work()), ...lives]);
    if (failure !== undefined) throw new Error('the simulation broke', {cause: failure});
    const {kills, linkCuts} = await chaos;

    const signal = AbortSignal.timeout(FINAL_TIMEOUT_MS);
    const view = await viewPatiently(() => quiet.group().view(signal), signal);
    await quiet.close();
    const history: History = {
      initialMax: slots.first,
      operations,
      final: {max: view.max, holders: view.holders.map(({id}) => id)},
    };
    const seconds = now() / 1000;
    return {history, faults: findFaults(history), lostRaces, kills, linkCuts, longestWaitMs, seconds};
  } finally {
    await cluster.stop();
  }
}

/** Members that have just been mended still look for a leader. */
async function viewPatiently<T>(view: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await view();
    } catch (error) {
      if (signal.aborted) throw error;
    }
    await sleep(200, undefined, {signal});
  }
}

/** A few lines for people. */
export function describeModelCheck({
  history,
  lostRaces,
  kills,
  linkCuts,
  longestWaitMs,
  seconds,
  faults,
}: ModelCheckResult): string {
  const {operations} = history;
  const count = (kind: Operation['kind'], outcome: string): number =>
    operations.filter((each) => each.kind === kind && each.outcome === outcome).length;
  const freed = operations.filter((each) => each.kind === 'release' && each.actor === 'operator').length;
  return [
    `operations     ${operations.length} in ${seconds.toFixed(0)} s`,
    `slots granted  ${count('acquire', 'held')}, refused ${count('acquire', 'full')}, without an answer ${count('acquire', 'unknown')}`,
    `slots given back ${count('release', 'released')}, without an answer ${count('release', 'unknown')}, by an operator ${freed}`,
    `slots changed  ${count('set-max', 'set')} times, without an answer ${count('set-max', 'unknown')}`,
    `lost races     ${lostRaces}`,
    `members killed ${kills} times`,
    `links cut      ${linkCuts} times`,
    `longest wait   ${(longestWaitMs / 1000).toFixed(1)} s`,
    ...(faults.length === 0 ? ['no fault found'] : [`${faults.length} faults:`, ...faults.slice(0, 20)]),
  ].join('\n');
}
