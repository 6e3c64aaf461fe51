/** What a lock on etcd needs of the world, in tests. */
import {setTimeout as sleep} from 'node:timers/promises';
import type {EtcdKeeperOptions} from '../../coordination/etcd-lock.ts';
import type {EtcdSettings} from '../../formats/reboot-settings.ts';
import {createHttpClient} from '../../platform/http.ts';

export function keeperOptions(
  {endpoints}: {endpoints: readonly string[]},
  settings: Partial<EtcdSettings> = {},
  changes: Partial<EtcdKeeperOptions> = {},
): EtcdKeeperOptions {
  return {
    settings: {
      endpoints,
      caFile: null,
      certFile: null,
      keyFile: null,
      username: null,
      password: null,
      group: '',
      ...settings,
    },
    createHttp: createHttpClient,
    now: () => Date.now(),
    sleep: (ms, signal) => sleep(ms, undefined, {signal}),
    random: () => Math.random(),
    ...changes,
  };
}
