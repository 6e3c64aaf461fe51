/** The health program of a host: `check`, `mark-good`, `give-up`. Run by systemd; see docs/health.md. */
import {setTimeout as sleep} from 'node:timers/promises';
import {abortOnSignals} from '../../platform/interruption.ts';
import {createJournal} from '../../platform/journal.ts';
import {HOST_PATHS} from '../paths.ts';
import {type HealthWorld, check, giveUpRunning, markGood} from './run.ts';
import {parseHealthSettings} from './settings.ts';

const journal = createJournal((text) => void process.stderr.write(text));
const stopped = new AbortController();
abortOnSignals(stopped, ['SIGTERM'], () => new Error('stopped: the host shuts down'));

const world: HealthWorld = {
  paths: HOST_PATHS,
  clock: Date.now,
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n),
  sleep: (ms, signal) =>
    sleep(ms, undefined, {
      signal: signal === undefined ? stopped.signal : AbortSignal.any([stopped.signal, signal]),
    }),
  timeout: (ms) => AbortSignal.timeout(ms),
  signal: stopped.signal,
  journal,
};

/** Exit codes: 0 done; 1 a check failed; 2 the program could not do its work; 3 there was nothing to give up. */
async function run(verb: string | undefined): Promise<number> {
  switch (verb) {
    case 'check':
      return (await check(
        parseHealthSettings(process.env, (text) => journal.warn(text)),
        world,
      ))
        ? 0
        : 1;
    case 'mark-good':
      await markGood(world);
      return 0;
    case 'give-up':
      return (await giveUpRunning(world)) ? 0 : 3;
    case undefined:
    default:
      journal.error(`usage: health.mjs check | mark-good | give-up; got ${verb ?? 'nothing'}`);
      return 2;
  }
}

try {
  // Leaves at once: timers of checks that were overtaken by the deadline would keep the program.
  process.exit(await run(process.argv[2]));
} catch (error) {
  journal.error(error instanceof Error ? error.message : 'failed');
  process.exit(2);
}
