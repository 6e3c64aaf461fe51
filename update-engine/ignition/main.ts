/**
 * Ignition on the first boot of a host; started in the initrd, below the root of the host, by
 * usr/libexec/caisson/ignition when there is anything to look at. See docs/ignition.md.
 *
 * Why not units for the stages, as elsewhere: what a config may not do has to be refused between them, and one process
 * has one private view of mounts, so that nothing is left mounted whatever happens.
 */
import {appendFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {type CodedError, isCodedError} from '../../formats/errors.ts';
import {exec} from '../../platform/exec.ts';
import {createJournal} from '../../platform/journal.ts';
import {keepFailure} from './failure.ts';
import type {FirstBootHost} from './host.ts';
import {IGNITION_PATHS} from './paths.ts';
import {configureFirstBoot} from './run.ts';

/** Time to read the console; a server that was down may be back by then. As CoreOS had it. */
const RESTART_AFTER_MS = 5 * 60_000;

const journal = createJournal((text) => void process.stderr.write(text));

function show(text: string): void {
  journal.warn(text);
  try {
    const lines = text
      .split('\n')
      .map((line) => `caisson: ${line.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500)}\r\n`);
    appendFileSync(IGNITION_PATHS.console, lines.join(''));
  } catch {
    // There is none; the journal has it.
  }
}

const host: FirstBootHost = {
  root: '',
  exec,
  note: (text) => journal.info(text),
  show,
  now: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, {signal}).catch(() => undefined),
};

/** Never a half-configured host that looks fine: what is on ROOT by now is thrown away by the next boot. */
async function giveUp(error: unknown): Promise<never> {
  const message = isCodedError(error)
    ? describe(error)
    : String(error instanceof Error ? error.stack : error);
  show(`FIRST BOOT FAILED: the host is not configured\n${message}`);
  // Full or broken, ROOT is emptied by the next boot.
  await keepFailure(message, host).catch(() => undefined);
  show(`restarting in ${RESTART_AFTER_MS / 60_000} minutes, to try again from the beginning`);
  await host.sleep(RESTART_AFTER_MS);
  await exec(['systemctl', 'reboot', '--force'], {env: {SYSTEMD_IGNORE_CHROOT: '1'}});
  // Until the restart comes; ending here would let the boot go on.
  for (;;) await host.sleep(RESTART_AFTER_MS);
}

function describe(error: CodedError<string>): string {
  const hint = error.hint === undefined ? [] : [`hint: ${error.hint}`];
  return [error.message, ...hint].join('\n');
}

try {
  await configureFirstBoot(host);
} catch (error) {
  await giveUp(error);
}
