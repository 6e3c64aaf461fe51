/**
 * Simulated hosts with the real lock: they ask until they hold a slot, "restart" with it as a new program, and give it
 * back. Some vanish in between, until an operator frees their slot; and an operator changes the number of slots.
 */
import {type EtcdKeeper, openEtcdKeeper} from '../../../coordination/etcd-lock.ts';
import {LockError} from '../../../coordination/lock.ts';
import type {Random} from '../../fuzz/random.ts';
import {keeperOptions} from '../etcd-lock.ts';
import type {Operation} from './history.ts';

export interface World {
  readonly endpoints: readonly string[];
  readonly random: Random;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly now: () => number;
  readonly isOver: () => boolean;
  readonly record: (operation: Operation) => void;
  readonly onLostRace: () => void;
  /** Milliseconds from a host's first question to its slot. */
  readonly onWaited: (ms: number) => void;
}

const LONGEST_PAUSE_MS = 400;
/** Two hundred hosts ask; what they ask for shall be answered by a small machine. */
const LONGEST_WAIT_MS = 10_000;
const LONGEST_REBOOT_MS = 120;
/** One host of so many does not come back. */
const VANISH_ODDS = 25;
/** A host gives up a member sooner than in life, because here one breaks every second. */
const TIMEOUTS = {attemptTimeoutMs: 1500, timeoutMs: 5000};
const ASK = {reason: 'model check', version: null};

function openKeeper(world: World): EtcdKeeper {
  const first = world.random.below(world.endpoints.length);
  // Each has its own idea of which member comes first.
  const endpoints = [...world.endpoints.slice(first), ...world.endpoints.slice(0, first)];
  return openEtcdKeeper(
    keeperOptions(
      {endpoints},
      {group: 'model'},
      {timeouts: TIMEOUTS, onLostRace: world.onLostRace, waitingSeconds: 30},
    ),
  );
}

/** One host, until it is over; hands itself to `vanished` when it vanishes, and goes on when that resolves. */
export async function liveAsHost(
  world: World,
  host: string,
  vanished: (host: string) => Promise<void>,
): Promise<void> {
  const {random, sleep, isOver, now} = world;
  for (let life = 0; !isOver(); life += 1) {
    await sleep(random.below(LONGEST_WAIT_MS));
    const waitsSince = now();
    const before = openKeeper(world);
    let isHeld = false;
    while (!isHeld && !isOver()) {
      isHeld = await acquire(world, before, host, `${host}#${life}`);
      // With a slot or without, and whatever it heard last.
      if (random.below(VANISH_ODDS * 10) === 0) break;
      if (!isHeld) await sleep(random.below(LONGEST_WAIT_MS));
    }
    await before.close();
    if (isHeld) world.onWaited(now() - waitsSince);
    if (isOver()) return;
    if (!isHeld || random.below(VANISH_ODDS) === 0) {
      await vanished(host);
      continue;
    }
    await sleep(random.below(LONGEST_REBOOT_MS));
    const after = openKeeper(world);
    while (!isOver() && !(await release(world, after, host, `${host}#${life}+`)))
      await sleep(random.below(LONGEST_PAUSE_MS));
    await after.close();
  }
}

/** Frees the slots of those who vanished, and changes the number of slots, until it is over. */
export function createOperator(world: World, {least, most}: {least: number; most: number}) {
  const waiting: {host: string; isFreed: () => void}[] = [];
  async function work(): Promise<void> {
    const {random, sleep, isOver} = world;
    const keeper = openKeeper(world);
    while (!isOver()) {
      await sleep(random.below(LONGEST_PAUSE_MS));
      const next = waiting.shift();
      if (next !== undefined) {
        while (!isOver() && !(await release(world, keeper, next.host, 'operator'))) await sleep(100);
        next.isFreed();
      }
      if (random.below(6) === 0) await setMax(world, keeper, least + random.below(most - least + 1));
    }
    await keeper.close();
    for (const {isFreed} of waiting) isFreed();
  }
  return {
    work,
    vanished: (host: string) => new Promise<void>((isFreed) => void waiting.push({host, isFreed})),
  };
}

async function acquire(world: World, keeper: EtcdKeeper, host: string, actor: string): Promise<boolean> {
  const deed = {kind: 'acquire', host, actor, from: world.now()} as const;
  const answer = await orUnknown(keeper.group().acquire(host, ASK, new AbortController().signal));
  const to = world.now();
  if (answer === 'unknown') world.record({...deed, to, outcome: 'unknown'});
  else if (answer.kind === 'held') world.record({...deed, to, outcome: 'held'});
  else {
    const {max, holders, position, waiting} = answer;
    const sight = {max: max ?? 0, holders: holders.map(({id}) => id), position, waiting};
    world.record({...deed, to, outcome: 'full', sight});
  }
  return answer !== 'unknown' && answer.kind === 'held';
}

async function release(world: World, keeper: EtcdKeeper, host: string, actor: string): Promise<boolean> {
  const deed = {kind: 'release', host, actor, from: world.now()} as const;
  const outcome = await orUnknown(keeper.group().release(host, new AbortController().signal));
  world.record({...deed, to: world.now(), outcome});
  return outcome !== 'unknown';
}

async function setMax(world: World, keeper: EtcdKeeper, max: number): Promise<void> {
  const deed = {kind: 'set-max', max, actor: 'operator', from: world.now()} as const;
  const answer = await orUnknown(keeper.group().setMax(max, new AbortController().signal));
  world.record({...deed, to: world.now(), outcome: answer === 'unknown' ? 'unknown' : 'set'});
}

async function orUnknown<T>(pending: Promise<T>): Promise<T | 'unknown'> {
  try {
    return await pending;
  } catch (error) {
    // Anything but the lock's own errors is a fault of the program.
    if (error instanceof LockError) return 'unknown';
    throw error;
  }
}
