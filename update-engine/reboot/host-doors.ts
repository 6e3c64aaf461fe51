/**
 * The doors of a real host: etcd or a FleetLock server, logind, terminals, the unit that runs the operator's hooks. All
 * of it goes by the configuration that counts when it is used.
 */
import {hostname} from 'node:os';
import type {LockHolder, RebootLock} from '../../coordination/lock.ts';
import {LockError} from '../../coordination/lock.ts';
import {openEtcdLock} from '../../coordination/etcd-lock.ts';
import {fleetLockId, openFleetLock} from '../../coordination/fleet-lock/client.ts';
import {type RebootSettings, parseRebootSettings} from '../../formats/reboot-settings.ts';
import type {UpdateConf} from '../../formats/update-conf.ts';
import type {Reading} from '../../formats/update-conf-values.ts';
import {readHostZone} from '../../platform/host-zone.ts';
import type {HttpClient, HttpClientOptions, HttpExchange} from '../../platform/http.ts';
import type {Journal} from '../../platform/journal.ts';
import {openLogind} from '../../platform/logind.ts';
import {startUnit, stopUnit} from '../../platform/systemd.ts';
import {pseudoTerminals} from '../../platform/terminals.ts';
import {httpOptions} from '../engine/host-facts.ts';
import type {Clock} from '../clock.ts';
import {HOOK_PATHS} from '../hooks/paths.ts';
import type {RebootDoors} from './coordinator.ts';
import {openHookUnit} from './hook-unit.ts';
import {createHooksGate, runPostGoodHooks} from './hooks.ts';
import {createInhibitorsGate} from './inhibitors.ts';
import {createSessionsGate} from './sessions.ts';
import type {LockKind} from './strategy.ts';
import {createWindowGate} from './window.ts';

export interface HostDoorsOptions {
  readonly machineId: string;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  readonly randomId: () => string;
  readonly journal: Journal;
  readonly createHttp: (options: HttpClientOptions) => HttpClient & HttpExchange;
}

export function hostRebootDoors(conf: () => UpdateConf, options: HostDoorsOptions): RebootDoors {
  const {machineId, clock, journal, createHttp, monotonicMs} = options;
  const settings = (): RebootSettings => parseRebootSettings(conf().settings.reboot).settings;
  const logind = openLogind();
  const unit = openHookUnit({
    exchange: HOOK_PATHS.exchange,
    randomId: options.randomId,
    startUnit,
    stopUnit,
  });
  const hooks = {hooks: HOOK_PATHS.hooks, unit, timeoutMs: () => settings().hookTimeoutMs};

  let etcd: {key: string; lock: RebootLock} | null = null;

  /**
   * One for as long as the settings stay: it remembers writes whose answers were lost, and must settle them before it
   * believes that this host holds nothing.
   */
  async function openEtcd(): Promise<RebootLock> {
    const etcdSettings = valueOf(settings().etcd);
    const key = JSON.stringify(etcdSettings);
    if (etcd?.key !== key) {
      const before = etcd;
      const lock = openEtcdLock({
        settings: etcdSettings,
        id: machineId,
        createHttp,
        now: () => clock.now(),
        sleep: (ms, signal) => clock.sleep(ms, signal),
        random: options.random,
        onExpired: (holder, group) => journal.warn(describeExpired(holder, group)),
      });
      etcd = {key, lock};
      await before?.lock.close();
    }
    return {...etcd.lock, close: () => Promise.resolve()};
  }

  async function openLock(kind: LockKind): Promise<RebootLock> {
    if (kind === 'etcd-lock') return openEtcd();
    const fleetLock = valueOf(settings().fleetLock);
    if (fleetLock === null)
      throw new LockError('settings', 'REBOOT_STRATEGY=fleet-lock needs FLEET_LOCK_URL');
    const http = createHttp(await httpOptions(conf().settings));
    return openFleetLock({settings: fleetLock, id: fleetLockId(machineId), http});
  }

  return {
    openLock,
    gates: {
      window: createWindowGate({
        windows: () => settings().windows,
        hostZone: readHostZone,
        now: () => clock.now(),
      }),
      inhibitors: createInhibitorsGate({logind}),
      sessions: createSessionsGate({
        ...{logind, pseudoTerminals, unit},
        waitMs: () => settings().sessionWaitMs,
        now: monotonicMs,
        hostname: hostname(),
      }),
      hooks: createHooksGate(hooks),
    },
    runPostGood: (debt, signal) => runPostGoodHooks(debt, hooks, signal),
  };
}

function valueOf<T>(reading: Reading<T>): T {
  if (reading.kind === 'value') return reading.value;
  throw new LockError('settings', reading.problem);
}

function describeExpired({id, reason}: LockHolder, group: string): string {
  const where = group === '' ? '' : ` of group ${group}`;
  return `${id} lost its slot of the reboot lock${where}: it held it for longer than the expiry allows (${reason ?? 'no reason'})`;
}
