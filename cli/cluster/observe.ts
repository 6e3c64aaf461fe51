/** Looks at a running cluster: each host's engine over ssh, etcd from outside, and the reboot lock in it. */
import {decodeSemaphore} from '../../formats/semaphore/decode.ts';
import {semaphoreKey, waiterOfKey, waitingPrefix} from '../../formats/semaphore/keys.ts';
import {INITIAL_SEMAPHORE} from '../../formats/semaphore/types.ts';
import {decodeWaiter} from '../../formats/semaphore/waiting.ts';
import {createEtcdClient, type EtcdClient} from '../../platform/etcd/client.ts';
import {ExecError} from '../../platform/exec.ts';
import type {HttpExchange} from '../../platform/http.ts';
import type {Cluster} from '../../qemu/cluster/cluster.ts';
import type {Member} from '../../qemu/cluster/member.ts';
import {QemuError} from '../../qemu/errors.ts';
import {SshClient} from '../../qemu/ssh.ts';
import {statusSchema} from '../../update-engine/api/status.ts';
import {ClusterError} from './errors.ts';
import type {ClusterStatus, HostStatus, LockStatus, MemberStatus} from './document.ts';
import {LatestAnswer} from './latest.ts';

export interface Observer {
  status(signal: AbortSignal): Promise<ClusterStatus>;
}

export interface ObserverOptions {
  cluster: Cluster;
  http: HttpExchange;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A key exchange and a program start in an emulated guest that does other things as well. */
const HOST_DEADLINE_MS = 60_000;
/** So long a person waits for the screen; who is later is shown as he was. */
const PATIENCE_MS = 6_000;
const ETCD_DEADLINE_MS = 4_000;
/** One group: that of hosts without LOCKSMITHD_GROUP. */
const GROUP = '';

/** curl starts in an instant, caissonctl in seconds where guests are emulated. */
const ASK_HOST =
  'cat /etc/machine-id && exec curl -sS --max-time 30 --unix-socket /run/caisson/status.sock http://localhost/v1/status';

/** What is shown of it, so that hosts of other releases, whose status has other fields, are understood. */
const hostSchema = statusSchema.pick({
  os: true,
  slot: true,
  isGood: true,
  state: true,
  offer: true,
  waiting: true,
  lastUpdate: true,
});

export function createObserver({cluster, http, now}: ObserverOptions): Observer {
  const {members, network} = cluster;
  const etcd = createEtcdClient({
    endpoints: members.map(({etcdUrl}) => etcdUrl),
    http,
    user: null,
    attemptTimeoutMs: ETCD_DEADLINE_MS,
  });
  const hosts = members.map((member) => {
    const watched = {member, isOn: true, isReached: false, host: new LatestAnswer(ask, PATIENCE_MS)};
    const onSsh = (isReached: boolean): void => void (watched.isReached = isReached);
    const asker = hostAsker(member, now, onSsh);
    function ask(): Promise<HostStatus> {
      return asker();
    }
    void member.machine.ended.then(() => (watched.isOn = false));
    return watched;
  });
  return {
    async status(signal) {
      const [answers, etcds, lock] = await Promise.all([
        Promise.all(hosts.map(({host}) => host.get())),
        etcd.members(signal),
        readLock(etcd, signal),
      ]);
      const named = new Map(
        answers.flatMap(({value}, index) => {
          const name = hosts[index]?.member.plan.name;
          return value === null || name === undefined ? [] : [[value.machineId, name] as const];
        }),
      );
      return {
        format: 1,
        at: now(),
        lock: withNames(lock, named),
        members: hosts.map(({member: {plan}, isOn, isReached}, index): MemberStatus => {
          const {isCut, isPlugged} = network.state(plan.name);
          const [answer, asked] = [answers[index], etcds[index]];
          return {
            name: plan.name,
            address: plan.address,
            isOn,
            link: isCut ? 'cut' : isPlugged ? 'joined' : 'unplugged',
            ssh: isOn && isReached ? 'answers' : 'silent',
            host: withNamedReasons(answer?.value ?? null, named),
            silent: isOn ? (answer?.failure ?? null) : 'its power is off',
            etcd:
              asked?.kind === 'answers'
                ? {
                    kind: 'answers',
                    isLeader: asked.isLeader,
                    hasLeader: asked.hasLeader,
                    problems: [...asked.problems],
                  }
                : {kind: 'failed', reason: asked?.error.message ?? 'not asked'},
          };
        }),
      };
    },
  };
}

/** On a connection of its own: when the host goes away, it is given up without harm to others. */
function hostAsker(
  member: Member,
  now: () => number,
  onSsh: (isReached: boolean) => void,
): () => Promise<HostStatus> {
  const {target} = member.ssh;
  const ssh = new SshClient({...target, controlSocket: `${target.controlSocket ?? ''}-watch`});
  return async () => {
    try {
      const {exitCode, stdout, stderr} = await ssh.run(['sh', '-c', ASK_HOST], {
        deadlineMs: HOST_DEADLINE_MS,
      });
      onSsh(true);
      if (exitCode !== 0)
        throw new ClusterError('refused', `its update engine is not there: ${stderr.trim()}`);
      const [machineId = '', ...json] = stdout.split('\n');
      const {os, slot, isGood, state, offer, waiting, lastUpdate} = hostSchema.parse(
        JSON.parse(json.join('\n')),
      );
      return {
        ...{at: now(), machineId, version: os.version, slot, isGood, state},
        ...{offer: offer?.version ?? null, waiting, lastUpdate},
      };
    } catch (error) {
      if (!(error instanceof QemuError) && !(error instanceof ExecError)) throw error;
      onSsh(false);
      // After a reboot the old connection leads nowhere.
      await ssh.disconnect().catch(() => undefined);
      throw error;
    }
  };
}

async function readLock(etcd: EtcdClient, signal: AbortSignal): Promise<LockStatus> {
  try {
    const key = semaphoreKey(GROUP);
    const [document, waiters] = await Promise.all([
      etcd.range({key}, signal),
      etcd.range({key: waitingPrefix(GROUP), isPrefix: true, order: 'created'}, signal),
    ]);
    const [found] = document.kvs;
    const {max, holders} = found === undefined ? INITIAL_SEMAPHORE : decodeSemaphore(found.value, key);
    return {
      kind: 'known',
      max,
      holders: holders.map(({id, since, reason, version, isKept}) => {
        return {name: id, since, reason, version, isKept};
      }),
      waiting: waiters.kvs.map((each) => {
        const {since, reason} = decodeWaiter(each.value);
        return {name: waiterOfKey(GROUP, each.key) ?? each.key, since, reason};
      }),
    };
  } catch (error) {
    signal.throwIfAborted();
    return {kind: 'unknown', reason: error instanceof Error ? error.message : String(error)};
  }
}

/** Holders are machine ids; people know the names. */
function withNames(lock: LockStatus, names: ReadonlyMap<string, string>): LockStatus {
  if (lock.kind === 'unknown') return lock;
  const named = <T extends {name: string}>(each: T): T => ({
    ...each,
    name: names.get(each.name) ?? each.name,
  });
  return {...lock, holders: lock.holders.map(named), waiting: lock.waiting.map(named)};
}

/** The engine's words name holders of the lock by their machine ids. */
function withNamedReasons(host: HostStatus | null, names: ReadonlyMap<string, string>): HostStatus | null {
  if (host === null) return null;
  const waiting = host.waiting.map((reason) =>
    [...names].reduce((text, [machineId, name]) => text.replaceAll(machineId, name), reason),
  );
  return {...host, waiting};
}
