/** The caisson command: reads the arguments, calls one sub-command, prints, and exits. */
import yargs from 'yargs';
import {CodedError} from '../formats/errors.ts';
import {abortOnSignals} from '../platform/interruption.ts';
import {buildCommand} from './build.ts';
import {channelsCommand, promoteCommand} from './channels.ts';
import {cleanCommand} from './clean.ts';
import {demoCommand} from './demo.ts';
import {inspectCommand} from './inspect.ts';
import {keysCommand} from './keys.ts';
import {payloadCommand} from './payload.ts';
import {reportError} from './report.ts';
import {runCommand} from './run.ts';
import {serveCommand} from './serve.ts';
import {sshCommand} from './ssh.ts';

const interrupted = new AbortController();
abortOnSignals(
  interrupted,
  ['SIGINT', 'SIGTERM'],
  (signal) => new InterruptedError('interrupted', `stopped by ${signal}`),
);

class InterruptedError extends CodedError<'interrupted'> {}
class UsageError extends CodedError<'usage'> {}

const parser = yargs(process.argv.slice(2))
  .scriptName('caisson')
  .usage('$0 COMMAND\n\nTurns Debian packages into a minimal, image-based container-host OS.')
  .command(buildCommand(interrupted.signal))
  .command(channelsCommand(interrupted.signal))
  .command(cleanCommand(interrupted.signal))
  .command(demoCommand(interrupted.signal))
  .command(inspectCommand(interrupted.signal))
  .command(keysCommand)
  .command(payloadCommand(interrupted.signal))
  .command(promoteCommand(interrupted.signal))
  .command(runCommand(interrupted.signal))
  .command(serveCommand(interrupted.signal))
  .command(sshCommand)
  .demandCommand(1, 'Name a command.')
  .strict()
  .fail((message, error) => {
    // The parser hands over its own findings as text, and what a command threw as it is.
    throw (error as Error | undefined) ?? new UsageError('usage', message, {hint: 'caisson --help'});
  })
  .help()
  .version(false)
  .wrap(Math.min(110, process.stdout.columns || 110));

try {
  await parser.parseAsync();
} catch (error) {
  // Whatever broke when it was told to stop, stopping is the reason.
  const reason: unknown = interrupted.signal.aborted ? interrupted.signal.reason : error;
  process.exitCode = reportError(reason, (text) => process.stderr.write(text));
}
