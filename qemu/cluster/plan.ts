/**
 * Names and addresses of a cluster's members, all derived from their number, so that nothing has to be handed out or
 * remembered: member 2 is `node2`, 10.77.0.12, 52:54:00:ca:77:02.
 */
import {QemuError} from '../errors.ts';

export interface MemberPlan {
  /** From 1. */
  number: number;
  name: string;
  /** IPv4, on the cluster's network. */
  address: string;
  /** Of the card on the cluster's network. */
  mac: string;
}

/** A prefix of private addresses (RFC 1918) that QEMU's user network (10.0.2.0/24) and docker's do not take. */
const NETWORK = '10.77.0';
export const NETWORK_PREFIX_BITS = 24;
const FIRST_HOST = 10;
/** As many as an etcd cluster should have (five, or seven where failures come in pairs). */
export const MAX_MEMBERS = 7;

/** Throws QemuError `bad-spec` for a number of members that makes no cluster. */
export function planMembers(count: number): MemberPlan[] {
  if (!Number.isInteger(count) || count < 1 || count > MAX_MEMBERS)
    throw new QemuError('bad-spec', `a cluster of ${count} members; it has 1 to ${MAX_MEMBERS}`);
  return Array.from({length: count}, (_, index) => planMember(index + 1));
}

function planMember(number: number): MemberPlan {
  return {
    number,
    name: `node${number}`,
    address: `${NETWORK}.${FIRST_HOST + number}`,
    mac: `52:54:00:ca:77:${number.toString(16).padStart(2, '0')}`,
  };
}

/** A member by number (`2`) or by name (`node2`). Throws QemuError `bad-spec`. */
export function findMember<M extends Pick<MemberPlan, 'name' | 'number'>>(
  members: readonly M[],
  wanted: string,
): M {
  const found = members.find(({name, number}) => name === wanted || String(number) === wanted);
  if (found !== undefined) return found;
  const known = members.map(({name}) => name).join(', ');
  throw new QemuError('bad-spec', `the cluster has no member ${wanted}`, {hint: `it has: ${known}`});
}

/** How many must be there for the cluster to go on. */
export function quorumOf(members: number): number {
  return Math.floor(members / 2) + 1;
}
