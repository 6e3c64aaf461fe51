/** Asks systemd about units and has it do things with them. */
import {ExecError} from '../../platform/exec.ts';
import {parseProperties} from '../health/verdict.ts';
import {type CloudHost, type Problem, problemOf} from './host.ts';
import type {UnitChange, UnitState} from './units.ts';

const ENV = {LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0'};
const TIMEOUT_MS = 90_000;
/**
 * How long a unit that starts is waited for. A member of a new cluster starts when the others are there, which may be in
 * ten minutes; the boot does not wait that long for it.
 */
const JOB_TIMEOUT_MS = 60_000;
const PROPERTIES = '--property=LoadState,ActiveState,UnitFileState,Type';

export async function readUnitStates(
  host: CloudHost,
  names: Iterable<string>,
): Promise<ReadonlyMap<string, UnitState>> {
  const states = new Map<string, UnitState>();
  for (const name of new Set(names)) {
    const {stdout} = await host.exec(['systemctl', 'show', PROPERTIES, '--', name], {
      env: ENV,
      timeoutMs: TIMEOUT_MS,
    });
    const [unit] = parseProperties(stdout);
    const get = (key: string): string => unit?.get(key) ?? '';
    states.set(name, {
      load: get('LoadState'),
      active: get('ActiveState'),
      fileState: get('UnitFileState'),
      type: get('Type'),
    });
  }
  return states;
}

export async function reloadUnits(host: CloudHost): Promise<void> {
  await host.exec(['systemctl', 'daemon-reload'], {env: ENV, timeoutMs: TIMEOUT_MS});
}

export async function reloadNetwork(host: CloudHost): Promise<void> {
  await host.exec(['networkctl', 'reload'], {env: ENV, timeoutMs: TIMEOUT_MS});
}

export interface UnitResult {
  readonly done: readonly UnitChange[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

/** One after the other, in the order given; one that fails does not stop the next. */
export async function performUnits(host: CloudHost, changes: readonly UnitChange[]): Promise<UnitResult> {
  const done: UnitChange[] = [];
  const problems: Problem[] = [];
  const notes: string[] = [];
  for (const change of changes) {
    const {unit, verb, runtime} = change;
    const isState = verb === 'enable' || verb === 'disable' || verb === 'mask' || verb === 'unmask';
    const options = isState && runtime ? ['--runtime'] : [];
    try {
      await host.exec(['systemctl', verb, ...options, '--', unit], {
        env: ENV,
        timeoutMs: isState ? TIMEOUT_MS : JOB_TIMEOUT_MS,
      });
      done.push(change);
    } catch (error) {
      if (error instanceof ExecError && error.code === 'timed-out') {
        done.push(change);
        notes.push(`systemctl ${verb} ${unit} goes on in the background; see systemctl status ${unit}`);
      } else problems.push({...problemOf(error), hint: `journalctl --boot --unit ${unit}`});
    }
  }
  return {done, problems, notes};
}

/** A script in the background, as a unit of its own: what it starts does not end with this program. */
export async function startScript(host: CloudHost, path: string): Promise<void> {
  await host.exec(
    [
      'systemd-run',
      '--unit=caisson-cloudinit-script',
      '--collect',
      '--no-block',
      '--property=Type=oneshot',
      '--',
      path,
    ],
    {env: ENV, timeoutMs: TIMEOUT_MS},
  );
}
