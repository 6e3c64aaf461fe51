/** The reboot lock for a command, from this host's configuration. Loaded only by commands that need it: it brings HTTP. */
import {setTimeout as sleep} from 'node:timers/promises';
import {readFile} from 'node:fs/promises';
import {type EtcdKeeper, openEtcdKeeper} from '../../coordination/etcd-lock.ts';
import {createHttpClient} from '../../platform/http.ts';
import {readConf} from '../engine/conf.ts';
import type {HostPaths} from '../paths.ts';
import {type LockFlags, lockSettings} from './lock-settings.ts';

export async function withLockKeeper<T>(
  paths: HostPaths,
  options: {env: Readonly<Record<string, string | undefined>>; flags: LockFlags},
  use: (keeper: EtcdKeeper, self: string) => Promise<T>,
): Promise<T> {
  const {settings} = await readConf(paths);
  const self = (await readFile(paths.machineId, 'utf8').catch(() => '')).trim();
  const keeper = openEtcdKeeper({
    settings: lockSettings(settings.reboot, options.env, options.flags),
    createHttp: createHttpClient,
    now: () => Date.now(),
    sleep: (ms, signal) => sleep(ms, undefined, {signal}),
    random: Math.random,
  });
  try {
    return await use(keeper, self);
  } finally {
    await keeper.close();
  }
}
