/** A coordinator among gates, hooks and a lock that a test opens and closes, on a clock that stands still. */
import type {LockAnswer, LockError, RebootLock} from '../../coordination/lock.ts';
import {createJournal} from '../../platform/journal.ts';
import type {Gate, GateAnswer, GateName} from '../../update-engine/reboot/gate.ts';
import {type Coordinator, createCoordinator} from '../../update-engine/reboot/coordinator.ts';
import {type Memo, openMemo} from '../../update-engine/reboot/memo.ts';
import type {Strategy} from '../../update-engine/reboot/strategy.ts';
import type {RebootDebt} from '../../update-engine/state/documents.ts';

export const OPEN: GateAnswer = {kind: 'open', detail: 'open', againMs: null};
export const closed = (detail: string): GateAnswer => ({kind: 'closed', detail, againMs: 60_000});

export interface RebootWorld {
  coordinator: Coordinator;
  memo: Memo;
  /** What happened, in order. */
  log: string[];
  answers: Map<GateName, GateAnswer>;
  strategy: Strategy['name'];
  sessionsBlock: boolean;
  postGood: string | null;
  lock: {answer: LockAnswer; holds: boolean; error: LockError | null};
  /** On the disk. */
  written: RebootDebt | null;
  /** Lets the pauses of everything that waits end. */
  passTime(): Promise<void>;
}

export async function rebootWorld(debt: RebootDebt | null = null): Promise<RebootWorld> {
  const log: string[] = [];
  const sleepers = new Set<() => void>();
  const answers = new Map<GateName, GateAnswer>();
  const gate = (name: GateName): Gate => ({
    name,
    ask: () => {
      log.push(name);
      return Promise.resolve(answers.get(name) ?? OPEN);
    },
  });
  const memo = openMemo(
    {
      reboot: () => Promise.resolve(world.written),
      setReboot: (next) => {
        world.written = next;
        log.push(next === null ? 'forgets' : `writes ${next.purpose}${next.hooksRan ? ', hooks' : ''}`);
        return Promise.resolve();
      },
    },
    () => undefined,
  );
  const act = <T>(name: string, value: () => T): Promise<T> => {
    log.push(name);
    if (world.lock.error !== null) return Promise.reject(world.lock.error);
    return Promise.resolve(value());
  };
  const lock: RebootLock = {
    where: 'etcd',
    acquire: () => act('acquires', () => world.lock.answer),
    keep: () => act('keeps', () => (world.lock.holds ? 'kept' : 'not-held')),
    release: () => act('releases', () => (world.lock.holds ? 'released' : 'not-held')),
    close: () => Promise.resolve(),
  };
  const world: Omit<RebootWorld, 'coordinator'> = {
    log,
    memo,
    answers,
    strategy: 'etcd-lock',
    sessionsBlock: false,
    postGood: null,
    lock: {answer: {kind: 'held', since: 500}, holds: true, error: null},
    written: debt,
    async passTime() {
      await settle();
      for (const wake of sleepers) wake();
      await settle();
    },
  };
  await memo.load();
  const coordinator = createCoordinator({
    memo,
    clock: {
      now: () => 1000,
      after: () => () => undefined,
      sleep: (_, signal) =>
        new Promise((resolve) => {
          const wake = (): void => {
            sleepers.delete(wake);
            resolve();
          };
          sleepers.add(wake);
          signal.addEventListener('abort', wake);
        }),
    },
    random: () => 0.5,
    journal: createJournal(() => undefined),
    strategy: () => ({name: world.strategy, note: null}),
    openLock: () => Promise.resolve(lock),
    gates: {
      window: gate('window'),
      inhibitors: gate('inhibitors'),
      sessions: {
        ...gate('sessions'),
        blocksForever: () => world.sessionsBlock,
        calledOff: () => {
          log.push('called off');
          return Promise.resolve();
        },
      },
      hooks: gate('hooks'),
    },
    offer: gate('offer'),
    runPostGood: () => {
      log.push('post-good');
      return Promise.resolve(world.postGood);
    },
    touch: () => undefined,
  });
  return Object.assign(world, {coordinator});
}

/** Until everything that waits for nothing but its turn has had it. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
