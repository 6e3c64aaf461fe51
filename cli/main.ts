/** The caisson command: reads the arguments, calls one sub-command, prints, and exits. */
import yargs, {type CommandModule} from 'yargs';
import {CodedError} from '../formats/errors.ts';
import {abortOnSignals} from '../platform/interruption.ts';
import {reportError} from './report.ts';

const interrupted = new AbortController();
abortOnSignals(
  interrupted,
  ['SIGINT', 'SIGTERM'],
  (signal) => new InterruptedError('interrupted', `stopped by ${signal}`),
);

class InterruptedError extends CodedError<'interrupted'> {}
class UsageError extends CodedError<'usage'> {}

/** Loaded when they are asked for: all of them together take as much memory as a whole command should. */
const COMMANDS: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>> = {
  addon: async () => (await import('./addon.ts')).addonCommand,
  build: async (signal) => (await import('./build.ts')).buildCommand(signal),
  channel: async (signal) => (await import('./channel.ts')).channelCommand(signal),
  channels: async (signal) => (await import('./channels.ts')).channelsCommand(signal),
  clean: async (signal) => (await import('./clean.ts')).cleanCommand(signal),
  cluster: async (signal) => (await import('./cluster.ts')).clusterCommand(signal),
  config: async () => (await import('./config.ts')).configCommand,
  demo: async (signal) => (await import('./demo.ts')).demoCommand(signal),
  'fleet-lock': async (signal) => (await import('./fleet-lock.ts')).fleetLockCommand(signal),
  group: async (signal) => (await import('./group.ts')).groupCommand(signal),
  image: async (signal) => (await import('./image.ts')).imageCommand(signal),
  inspect: async (signal) => (await import('./inspect.ts')).inspectCommand(signal),
  instance: async (signal) => (await import('./instance.ts')).instanceCommand(signal),
  export: async (signal) => (await import('./export.ts')).exportCommand(signal),
  keys: async () => (await import('./keys.ts')).keysCommand,
  payload: async (signal) => (await import('./payload.ts')).payloadCommand(signal),
  promote: async (signal) => (await import('./channels.ts')).promoteCommand(signal),
  publish: async (signal) => (await import('./publish.ts')).publishCommand(signal),
  rehearse: async () => (await import('./rehearse.ts')).rehearseCommand,
  release: async (signal) => (await import('./release.ts')).releaseCommand(signal),
  run: async (signal) => (await import('./run.ts')).runCommand(signal),
  serve: async (signal) => (await import('./serve.ts')).serveCommand(signal),
  server: async (signal) => (await import('./server.ts')).serverCommand(signal),
  ssh: async () => (await import('./ssh.ts')).sshCommand,
  token: async (signal) => (await import('./token.ts')).tokenCommand(signal),
};

const words = process.argv.slice(2);
const [name = ''] = words;
const wanted = Object.entries(COMMANDS).filter(([each]) => each === name || !Object.hasOwn(COMMANDS, name));
const modules = await Promise.all(wanted.map(([, load]) => load(interrupted.signal)));

const parser = yargs(words)
  .scriptName('caisson')
  .usage('$0 COMMAND\n\nTurns Debian packages into a minimal, image-based container-host OS.')
  .command(modules as CommandModule[])
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
