/**
 * The checks that every host makes, as effects around the judgements in verdict.ts.
 *
 * Containers: on trial containerd is started and asked, because a release on which no container starts is no good to
 * a container host, and docker stands on containerd. docker itself is left to its socket: starting it would cost every
 * boot seconds and memory that a host which uses containerd alone never wants to spend. On a slot that is good already
 * only what runs anyway is asked.
 */
import {readFile, rm, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {randomBytes} from 'node:crypto';
import {type Argv, exec} from '../../platform/exec.ts';
import {pathExists, withFile} from '../../platform/files.ts';
import type {Check} from './rounds.ts';
import {
  type EngineState,
  type Verdict,
  judgeEngine,
  judgeLinks,
  judgeUnits,
  parseProperties,
  parseUnitList,
} from './verdict.ts';

export interface CheckContext {
  ignoredUnits: readonly string[];
  /** Whether the running slot is on trial. */
  isOnTrial: boolean;
  /** Folder on ROOT where a file may be written for a moment. */
  stateFolder: string;
  /** Milliseconds of CLOCK_MONOTONIC. */
  monotonicMs: () => number;
}

const ENGINE = 'update-engine.service';
const PASSED: Verdict = {passed: true, detail: ''};
/** More than a sector, so that a file system has to find blocks. */
const PROBE_BYTES = 64 * 1024;

/**
 * There while etcd starts for the first time, in a cluster that a cloud-config names: it waits for hosts that are not there
 * yet, which no other release would change. A member that has been one and does not come back is another matter.
 */
const ETCD_FORMING = '/run/etcd/forming';

export function standardChecks(context: CheckContext): Check[] {
  return [
    {name: 'units', run: (signal) => checkUnits(context.ignoredUnits, signal)},
    {name: 'update-engine', run: (signal) => checkEngine(context.monotonicMs, signal)},
    {name: 'disk', run: () => checkDisk(context.stateFolder)},
    {name: 'network', run: checkNetwork},
    {name: 'containers', run: (signal) => checkContainers(context.isOnTrial, signal)},
  ];
}

async function ask(argv: Argv, signal: AbortSignal): Promise<string> {
  return (await exec(argv, {signal, env: {LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0'}})).stdout;
}

async function checkUnits(ignored: readonly string[], signal: AbortSignal): Promise<Verdict> {
  const list = ['systemctl', 'list-units', '--all', '--state=failed,activating', '--output=json'] as const;
  const names = parseUnitList(await ask(list, signal));
  if (names.length === 0) return PASSED;
  const properties = ['systemctl', 'show', '--property=Id,ActiveState,SubState,FragmentPath', '--'] as const;
  const units = parseProperties(await ask([...properties, ...names], signal)).map((unit) => ({
    name: unit.get('Id') ?? '',
    active: unit.get('ActiveState') ?? '',
    sub: unit.get('SubState') ?? '',
    path: unit.get('FragmentPath') ?? '',
  }));
  return judgeUnits(units, ignored, (await pathExists(ETCD_FORMING)) ? ['etcd.service'] : []);
}

async function checkEngine(monotonicMs: () => number, signal: AbortSignal): Promise<Verdict> {
  const wanted = 'LoadState,UnitFileState,ActiveState,SubState,NRestarts,ActiveEnterTimestampMonotonic';
  const [unit] = parseProperties(await ask(['systemctl', 'show', `--property=${wanted}`, ENGINE], signal));
  const get = (name: string): string => unit?.get(name) ?? '';
  const since = Number(get('ActiveEnterTimestampMonotonic')) / 1000;
  const state: EngineState = {
    loadState: get('LoadState'),
    unitFileState: get('UnitFileState'),
    active: get('ActiveState'),
    sub: get('SubState'),
    restarts: Number(get('NRestarts')) || 0,
    activeForMs: since > 0 ? Math.round(monotonicMs() - since) : null,
  };
  return judgeEngine(state);
}

/** Writes, syncs, reads back and removes: a file system that went read-only, or is full, fails here. */
async function checkDisk(folder: string): Promise<Verdict> {
  const path = join(folder, '.health-probe');
  const probe = randomBytes(PROBE_BYTES);
  try {
    await writeFile(path, probe, {mode: 0o600});
    await withFile(path, 'r+', (file) => file.sync());
    if (!(await readFile(path)).equals(probe))
      return {passed: false, detail: `${path} does not hold what was written`};
  } finally {
    await rm(path, {force: true});
  }
  return PASSED;
}

async function checkNetwork(signal: AbortSignal): Promise<Verdict> {
  if (!(await isActive('systemd-networkd.service', signal))) {
    const [unit] = parseProperties(
      await ask(
        ['systemctl', 'show', '--property=UnitFileState,LoadState', 'systemd-networkd.service'],
        signal,
      ),
    );
    const isOff = unit?.get('UnitFileState') === 'disabled' || unit?.get('LoadState') === 'masked';
    return isOff
      ? {passed: true, detail: 'systemd-networkd is switched off on this host'}
      : {passed: false, detail: 'systemd-networkd does not run'};
  }
  return judgeLinks(await ask(['networkctl', 'list', '--json=short'], signal));
}

async function checkContainers(isOnTrial: boolean, signal: AbortSignal): Promise<Verdict> {
  if (await isActive('docker.service', signal)) {
    await ask(['docker', 'version', '--format', '{{.Server.Version}}'], signal);
    return {passed: true, detail: 'docker answers'};
  }
  const wasActive = await isActive('containerd.service', signal);
  if (!wasActive && !isOnTrial) return {passed: true, detail: 'neither docker nor containerd runs'};
  if (!wasActive) {
    const [unit] = parseProperties(
      await ask(['systemctl', 'show', '--property=LoadState', 'containerd.service'], signal),
    );
    if (unit?.get('LoadState') !== 'loaded')
      return {passed: true, detail: `containerd is ${unit?.get('LoadState') ?? 'not there'} on this host`};
    await ask(['systemctl', 'start', 'containerd.service'], signal);
  }
  await ask(['ctr', 'version'], signal);
  return {passed: true, detail: 'containerd answers'};
}

async function isActive(unit: string, signal: AbortSignal): Promise<boolean> {
  const {exitCode} = await exec(['systemctl', 'is-active', '--quiet', unit], {signal, okCodes: [0, 3, 4]});
  return exitCode === 0;
}

/** Whether a folder is there; a file in its place is an error that its reader will meet. */
export async function folderExists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
