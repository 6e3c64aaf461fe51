/** What a lock on etcd needs of the world, in tests. */
import assert from 'node:assert/strict';
import {setTimeout as sleep} from 'node:timers/promises';
import type {EtcdKeeperOptions} from '../../coordination/etcd-lock.ts';
import {LockError} from '../../coordination/lock.ts';
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

/** Fails unless the lock refuses with that code and words; gives the error. */
export async function refusesLock(
  code: LockError['code'],
  pattern: RegExp,
  action: Promise<unknown>,
): Promise<LockError> {
  const error: unknown = await action.then(
    (value) => assert.fail(`it did not fail, but gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LockError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
  return error;
}
