/** Options that several sub-commands of `caisson cluster` have. */
import {join} from 'node:path';
import {DEFAULT_MEMBERS, DEFAULT_MEMORY_MIB} from '../../qemu/cluster/cluster.ts';
import {DEFAULT_OUT_DIR} from '../paths.ts';

export const DIR_OPTION = {
  type: 'string',
  default: join(DEFAULT_OUT_DIR, 'cluster'),
  defaultDescription: 'out/cluster/',
  describe: 'Where the running cluster keeps its disks, its logs and the note by which it is found',
} as const;

export const MEMBERS_OPTION = {
  type: 'number',
  default: DEFAULT_MEMBERS,
  describe: 'Hosts in the cluster, each with etcd',
} as const;

export const MEMORY_OPTION = {
  alias: 'm',
  type: 'number',
  default: DEFAULT_MEMORY_MIB,
  describe: 'MiB of memory of each host',
} as const;

export const CPUS_OPTION = {
  type: 'number',
  default: 2,
  describe: 'Processors of each host',
} as const;

/** Lines with the seconds since the command began. */
export function sayWithTimes(write: (text: string) => void, now: () => number): (text: string) => void {
  const began = now();
  return (text) => write(`[${((now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}\n`);
}
