/**
 * The three things that the health program does, each once a boot and in this order: check, then mark-good or give-up.
 * They are separate runs, because systemd decides between them, and because giving up must work when checking hangs.
 */
import {mkdir, rm, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {isLive} from '../boot-image.ts';
import {findExecutables} from '../executables.ts';
import {readIdentity} from '../identity.ts';
import {type HOST_PATHS, SLOT_MARKERS} from '../paths.ts';
import {openState} from '../state/store.ts';
import {standardChecks} from './checks.ts';
import {type Check, type CheckResult, type RoundsOptions, runRounds} from './rounds.ts';
import type {HealthSettings} from './settings.ts';
import {type RunningSlot, findRunningSlot, giveRunningUp, markRunningGood} from './slot.ts';
import {type BootIdentity, type Standing, gaveUpReport, reportOf} from './trial.ts';

export interface HealthWorld {
  paths: typeof HOST_PATHS;
  /** Milliseconds since 1970. */
  clock: () => number;
  /** Milliseconds of CLOCK_MONOTONIC. */
  monotonicMs: () => number;
  sleep: RoundsOptions['sleep'];
  timeout: RoundsOptions['timeout'];
  /** Aborted when the host shuts down: then there is no verdict. */
  signal: AbortSignal;
  journal: {error(text: string): void; warn(text: string): void; info(text: string): void};
}

interface Here {
  running: RunningSlot | null;
  standing: Standing;
  /** Null without a slot: there is nothing to report about. */
  identity: BootIdentity | null;
  /** Why the slot could not be read. */
  problem: string | null;
}

/** Whether all checks passed. */
export async function check(settings: HealthSettings, world: HealthWorld): Promise<boolean> {
  const {paths, journal, signal} = world;
  const here = await lookAround(world);
  await announce(here);
  const standard = standardChecks({
    ignoredUnits: settings.ignoredUnits,
    isOnTrial: here.standing === 'on-trial',
    stateFolder: paths.state,
    monotonicMs: world.monotonicMs,
  });
  const slotCheck: Check = {
    name: 'slot',
    run: () => Promise.resolve({passed: here.problem === null, detail: here.problem ?? ''}),
  };
  const executables = {
    folder: paths.healthChecks,
    timeoutMs: settings.executableTimeoutMs,
    env: {
      CAISSON_SLOT: here.identity?.slot ?? '',
      CAISSON_ON_TRIAL: here.standing === 'on-trial' ? '1' : '0',
    },
  };
  const outcome = await runRounds({
    checks: async () => [slotCheck, ...standard, ...(await findExecutables(executables))],
    deadlineMs: settings.deadlineMs,
    now: world.monotonicMs,
    sleep: world.sleep,
    timeout: (ms) => AbortSignal.any([signal, world.timeout(ms)]),
    onChange: (result) => journal.info(describe(result)),
  });
  signal.throwIfAborted();
  const failed = outcome.results.filter(({passed}) => !passed);
  if (here.identity !== null) {
    const report = reportOf(
      here.identity,
      outcome.passed ? 'good' : 'failed',
      outcome.results,
      world.clock(),
    );
    try {
      await (await openState(paths.state, (text) => journal.warn(text))).setHealth(report);
    } catch (error) {
      // A disk that cannot be written is among the failed checks; the verdict stands without its document.
      journal.error(`the report could not be written: ${error instanceof Error ? error.message : ''}`);
    }
  }
  if (outcome.passed) journal.info(`${outcome.results.length} checks passed`);
  for (const result of failed) journal.error(describe(result));
  if (!outcome.passed) journal.error(CONSEQUENCES[here.standing]);
  return outcome.passed;
}

const CONSEQUENCES: Readonly<Record<Standing, string>> = {
  'on-trial': 'the release on trial is not healthy: it is given up',
  good: 'the host is not healthy; its release was found good before and stays',
  'last-resort': 'the host is not healthy, and there is no other release to start',
  'no-slot': 'the host is not healthy; it runs from no slot that could be left',
};

/** Marks the running slot good, unless it is. Whoever calls this has seen the checks pass, or knows better. */
export async function markGood({journal}: HealthWorld): Promise<void> {
  if (await isLive()) {
    await writeFile(SLOT_MARKERS.good, '');
    return journal.info('this host, which runs from its boot image, is good');
  }
  const running = await findRunningSlot();
  if (running === null) return journal.info('this host runs from no slot; there is nothing to mark');
  await markRunningGood(running);
  journal.info(`${running.slot.label} is good`);
}

/** Whether the running slot was given up: false when it is not on trial, and then nothing was changed. */
export async function giveUpRunning(world: HealthWorld): Promise<boolean> {
  const {paths, journal} = world;
  const here = await lookAround(world);
  if (here.problem !== null) throw new Error(here.problem);
  if (here.running === null || here.identity === null || here.standing !== 'on-trial') {
    journal.warn(`nothing is given up: ${NOT_ON_TRIAL[here.standing]}`);
    return false;
  }
  // The reasons first: a power cut between the two leaves a slot on trial that is tried once more.
  try {
    const state = await openState(paths.state, (text) => journal.warn(text));
    await state.setHealth(gaveUpReport(await state.health(), here.identity, world.clock()));
  } catch (error) {
    journal.error(`the reasons could not be written: ${error instanceof Error ? error.message : ''}`);
  }
  if (!(await giveRunningUp(here.running))) {
    journal.warn('nothing is given up: the other slot could not take over');
    return false;
  }
  journal.warn(`${here.running.slot.label} with ${here.identity.version} is given up`);
  return true;
}

const NOT_ON_TRIAL: Readonly<Record<Standing, string>> = {
  'on-trial': '',
  good: 'the running slot was found good before',
  'last-resort': 'there is no other slot to fall back to',
  'no-slot': 'this host runs from no slot',
};

async function lookAround({paths}: HealthWorld): Promise<Here> {
  const {version, buildId, bootId} = await readIdentity(paths);
  let running: RunningSlot | null = null;
  let problem: string | null = null;
  try {
    running = await findRunningSlot();
  } catch (error) {
    problem = `the slots cannot be read: ${error instanceof Error ? error.message : ''}`;
  }
  const identity = running === null ? null : {version, buildId, bootId, slot: running.slot.letter};
  return {running, standing: running?.standing ?? 'no-slot', identity, problem};
}

/**
 * Tells units and scripts how this boot stands. When the table cannot be read nobody is told anything, and they go by
 * the document of the pending update.
 */
async function announce({standing, problem}: Here): Promise<void> {
  await mkdir(dirname(SLOT_MARKERS.good), {recursive: true});
  for (const path of Object.values(SLOT_MARKERS)) await rm(path, {force: true});
  // A boot image is good when its checks have passed: mark-good says so, and the engine waits for it.
  if (standing === 'no-slot' && (await isLive())) return;
  // What else runs from no slot has nothing to leave, and nothing to mark.
  if (problem === null) await writeFile(SLOT_MARKERS[standing === 'no-slot' ? 'good' : standing], '');
}

function describe({name, passed, detail}: CheckResult): string {
  return `${name}: ${passed ? 'passed' : 'failed'}${detail === '' ? '' : ` (${detail})`}`;
}
