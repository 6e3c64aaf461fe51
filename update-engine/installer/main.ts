/** caisson-install: arguments, signals and exit codes; installs a disk from the live system or any Linux. */
import {isCodedError} from '../../formats/errors.ts';
import {abortOnSignals} from '../../platform/interruption.ts';
import {createLog} from '../../platform/log.ts';
import {parseInstallArguments} from './arguments.ts';
import {InstallerError} from './errors.ts';
import {runInstaller} from './run.ts';

const NAME = 'caisson-install';
const EXIT_CODES = {failed: 1, usage: 2, refused: 3, interrupted: 130} as const;

const interrupted = new AbortController();
abortOnSignals(
  interrupted,
  ['SIGINT', 'SIGTERM'],
  (signal) => new InstallerError('interrupted', `stopped by ${signal}`),
);

// Where an ordinary user's PATH does not look: mkfs.ext4, blkdiscard, blockdev.
process.env['PATH'] = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;

let touched: 'nothing' | 'wiped' | 'installed' = 'nothing';
const write = (text: string): void => void process.stderr.write(text);

try {
  process.exitCode = await runInstaller(parseInstallArguments(process.argv.slice(2)), {
    out: (text) => process.stdout.write(text),
    log: createLog({
      isTerminal: process.stderr.isTTY && process.env['TERM'] !== 'dumb',
      verbose: false,
      write,
      now: () => performance.now(),
      columns: () => process.stderr.columns,
    }),
    onTouched: (state) => (touched = state),
    signal: interrupted.signal,
  });
} catch (error) {
  process.exitCode = explain(interrupted.signal.aborted ? interrupted.signal.reason : error);
}

function explain(error: unknown): number {
  if (isCodedError(error)) {
    write(`${NAME}: ${error.message}\n`);
    if (error.hint !== undefined) write(`hint: ${error.hint}\n`);
  } else {
    const isOfSystem = error instanceof Error && typeof (error as {code?: unknown}).code === 'string';
    const text =
      error instanceof Error ? (isOfSystem ? error.message : (error.stack ?? error.message)) : String(error);
    write(`${NAME}: ${text}\n`);
  }
  if (touched === 'wiped')
    write(`The disk does not boot now, and nothing will take it for a system. Run ${NAME} again.\n`);
  if (!(error instanceof InstallerError)) return EXIT_CODES.failed;
  if (error.code === 'usage') return EXIT_CODES.usage;
  if (error.code === 'interrupted') return EXIT_CODES.interrupted;
  return touched === 'nothing' ? EXIT_CODES.refused : EXIT_CODES.failed;
}
