/**
 * How the commands about the reboot lock find it: what the host is configured to use, with flags and environment over it
 * as locksmithctl took them.
 */
import {LockError} from '../../coordination/lock.ts';
import {type EtcdSettings, parseRebootSettings} from '../../formats/reboot-settings.ts';

/** Names as locksmith's flags had them. */
export const LOCK_FLAGS = [
  'endpoint',
  'etcd-cafile',
  'etcd-certfile',
  'etcd-keyfile',
  'etcd-username',
  'etcd-password',
  'group',
] as const;
export type LockFlags = Readonly<Partial<Record<(typeof LOCK_FLAGS)[number], string>>>;

/**
 * `configured`: the LOCKSMITHD_ keys of update.conf; `env` may have LOCKSMITHCTL_ ones, which win; flags win over both.
 * Throws LockError 'settings'.
 */
export function lockSettings(
  configured: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string | undefined>>,
  flags: LockFlags,
): EtcdSettings {
  const values = new Map(configured);
  for (const flag of LOCK_FLAGS) {
    const key = flag.toUpperCase().replaceAll('-', '_');
    const value = flags[flag] ?? env[`LOCKSMITHCTL_${key}`];
    if (value !== undefined) values.set(`LOCKSMITHD_${key}`, value);
  }
  const {etcd} = parseRebootSettings(values).settings;
  if (etcd.kind === 'value') return etcd.value;
  throw new LockError('settings', etcd.problem);
}
