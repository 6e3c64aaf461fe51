/** A cluster as its owner may describe it. */
import type {ClusterStatus, LockStatus, MemberStatus} from '../../../../cli/cluster/document.ts';

export const NOW = 1_700_000_000_000;
export const FREE = {kind: 'known', max: 1, holders: [], waiting: []} satisfies LockStatus;

export function heldBy(name: string, waiting: readonly string[] = []): LockStatus {
  return {
    ...FREE,
    holders: [{name, since: NOW - 12_000, reason: 'update', version: '1.1.0', isKept: false}],
    waiting: waiting.map((each) => ({name: each, since: NOW - 5_000, reason: null})),
  };
}

export function memberOf(name: string, host: Partial<NonNullable<MemberStatus['host']>> = {}): MemberStatus {
  return {
    ...{name, address: '10.77.0.11', isOn: true, link: 'joined', ssh: 'answers', silent: null},
    host: {
      ...{at: NOW, machineId: `id of ${name}`, version: '1.0.0', slot: 'A', isGood: true, state: 'IDLE'},
      ...{offer: null, waiting: [], lastUpdate: null},
      ...host,
    },
    etcd: {kind: 'answers', isLeader: false, hasLeader: true, problems: []},
  };
}

export function clusterOf(members: readonly MemberStatus[], lock: LockStatus = FREE): ClusterStatus {
  return {format: 1, at: NOW, members: [...members], lock};
}
