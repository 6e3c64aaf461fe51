/**
 * The reboot lock in etcd. `openEtcdLock` is what a host's engine uses, `openEtcdKeeper` what operators and servers use,
 * who act for any host and on any group.
 */
import type {EtcdSettings} from '../formats/reboot-settings.ts';
import {GROUPS_PREFIX, groupOfKey, isGroupName, semaphoreKey} from '../formats/semaphore/keys.ts';
import type {EtcdMember, EtcdOptions} from '../platform/etcd/client.ts';
import {asLockErrors} from './etcd-errors.ts';
import {type EtcdGroup, type GroupOptions, createGroup} from './etcd-group.ts';
import {type CreateHttp, openEtcdSession} from './etcd-session.ts';
import {LockError, type LockHolder, type RebootLock} from './lock.ts';

export interface EtcdKeeperOptions extends Pick<GroupOptions, 'now' | 'sleep' | 'random'> {
  readonly settings: EtcdSettings;
  readonly createHttp: CreateHttp;
  /** Default 15 minutes: longer than the longest pause between two asks of a host. */
  readonly waitingSeconds?: number;
  readonly timeouts?: Pick<EtcdOptions, 'attemptTimeoutMs' | 'timeoutMs'>;
  /** Hears of a holder whose slot was taken away because the group's expiry was over. */
  readonly onExpired?: (holder: LockHolder, group: string) => void;
  readonly onLostRace?: () => void;
}

export interface EtcdKeeper {
  /** For people: `etcd at ADDRESS, ADDRESS`. */
  readonly where: string;
  /** The one of the settings when not named. Throws LockError 'settings' for what can be no group. */
  group(name?: string): EtcdGroup;
  /** The groups that have a semaphore, sorted; '' is the one without a name. Throws LockError. */
  listGroups(signal: AbortSignal): Promise<readonly string[]>;
  /** Each endpoint, whether it answers, and what is wrong with it. Throws LockError 'certificate' for files of our own. */
  members(signal: AbortSignal): Promise<readonly EtcdMember[]>;
  close(): Promise<void>;
}

const WAITING_SECONDS = 15 * 60;
const MAX_GROUPS = 10_000;

/** Connects to nothing yet. Throws LockError 'settings'. */
export function openEtcdKeeper(options: EtcdKeeperOptions): EtcdKeeper {
  const {settings, createHttp, timeouts, waitingSeconds = WAITING_SECONDS} = options;
  const session = openEtcdSession(settings, createHttp, timeouts);
  const client = (): ReturnType<typeof session.client> => session.client();
  const groups = new Map<string, EtcdGroup>();

  function group(name: string): EtcdGroup {
    if (!isGroupName(name))
      throw new LockError('settings', `${JSON.stringify(name.slice(0, 100))} cannot be the name of a group`);
    const known = groups.get(name);
    if (known !== undefined) return known;
    const made = createGroup({
      client,
      group: name,
      now: options.now,
      sleep: options.sleep,
      random: options.random,
      waitingSeconds,
      onExpired: options.onExpired ?? (() => undefined),
      onLostRace: options.onLostRace ?? (() => undefined),
    });
    groups.set(name, made);
    return made;
  }

  async function listGroups(signal: AbortSignal): Promise<readonly string[]> {
    const etcd = await session.client();
    const nameless = await etcd.range({key: semaphoreKey(''), keysOnly: true}, signal);
    const named = await etcd.range(
      {key: GROUPS_PREFIX, isPrefix: true, keysOnly: true, limit: MAX_GROUPS},
      signal,
    );
    return [...nameless.kvs, ...named.kvs].flatMap(({key}) => groupOfKey(key) ?? []).sort();
  }

  return {
    where: `etcd at ${settings.endpoints.join(', ')}`,
    group: (name = settings.group) => group(name),
    listGroups: (signal) => asLockErrors(() => listGroups(signal)),
    members: async (signal) => (await session.client()).members(signal),
    close: () => session.close(),
  };
}

/** The lock as the host `id` sees it. Throws LockError 'settings'. */
export function openEtcdLock({id, ...options}: EtcdKeeperOptions & {readonly id: string}): RebootLock {
  const keeper = openEtcdKeeper(options);
  const group = keeper.group();
  return {
    where: `${keeper.where}, ${group.group === '' ? 'no group' : `group ${group.group}`}`,
    acquire: (ask, signal) => group.acquire(id, ask, signal),
    keep: (ask, signal) => group.keep(id, ask, signal),
    release: (signal) => group.release(id, signal),
    close: () => keeper.close(),
  };
}
