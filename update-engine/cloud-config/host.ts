/** The host as this program sees it, so that tests can give it another: a folder as root, and programs that are watched. */
import {join} from 'node:path';
import type {Addresses} from '../../formats/cloud-config/substitute.ts';
import type {exec} from '../../platform/exec.ts';
import type {HttpClient} from '../../platform/http.ts';

export interface CloudHost {
  /** Empty on a host. */
  readonly root: string;
  readonly exec: typeof exec;
  readonly getBytes: HttpClient['getBytes'];
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly bootId: string;
  /** Returns when the network is up, or when waiting has become pointless. */
  readonly waitForNetwork: () => Promise<void>;
  readonly addresses: () => Promise<Addresses>;
  /** Tells whoever watches how far it is. */
  readonly note: (text: string) => void;
}

/** Where things lie on a host; a contract with overlays/os and docs/cloud-config.md. */
export const CLOUD_PATHS = {
  state: '/var/lib/caisson/cloud-config',
  /** Of the operator: base addresses and certificates. */
  settings: '/etc/caisson/cloud-config.conf',
  /** One file a user, named by AuthorizedKeysFile of sshd's configuration. */
  keys: '/etc/ssh/cloud-config-keys',
  commandLine: '/proc/cmdline',
  firmware: '/sys/firmware/qemu_fw_cfg/by_name',
  driveLabels: ['/dev/disk/by-label/config-2', '/dev/disk/by-label/CONFIG-2'],
  driveMount: '/run/caisson/config-drive',
  oem: '/oem/cloud-config.yml',
  userData: '/var/lib/caisson/cloud-config/user-data',
} as const;

/** Where a path of the host is for this process. */
export function onHost(host: Pick<CloudHost, 'root'>, path: string): string {
  return host.root === '' ? path : join(host.root, path);
}

/** What an operator has to put right. */
export interface Problem {
  readonly text: string;
  readonly hint?: string | undefined;
}

/** Text and hint of whatever was thrown. */
export function problemOf(error: unknown, what = ''): Problem {
  const text = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Error ? (error as {hint?: unknown}).hint : undefined;
  return {text: what === '' ? text : `${what}: ${text}`, ...(typeof hint === 'string' ? {hint} : {})};
}
