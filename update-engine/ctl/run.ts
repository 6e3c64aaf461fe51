/** What each command of caissonctl does with the engine; what it prints goes through `Terminal`, so that tests read it. */
import {setTimeout as sleep} from 'node:timers/promises';
import {ClientError, type EngineClient} from '../api/client.ts';
import {ApiError} from '../api/protocol.ts';
import type {Status} from '../api/status.ts';
import {formatBytes} from '../../formats/units.ts';
import type {Command, LockCommand} from './arguments.ts';
import {EXIT_CODES, helpText} from './help.ts';
import {formatProgress, formatStatus} from './status-text.ts';
import {formatChannel} from './channel-text.ts';

export interface Terminal {
  out(text: string): void;
  /** What is said beside the result. */
  note(text: string): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** Makes a path absolute. */
  resolve(path: string): string;
  /** Ctrl-C. */
  signal: AbortSignal;
}

/** Between two looks at a running update; the engine answers sooner when the state changes. */
const GLANCE_MS = 1000;
/** Questions without an answer, some ten minutes in all, before the engine counts as gone. */
const PATIENCE = 15;

/** Returns the exit code. Throws ClientError and ApiError. */
export async function runCommand(
  command: Exclude<Command, LockCommand>,
  client: EngineClient,
  terminal: Terminal,
): Promise<number> {
  switch (command.name) {
    case 'help':
      terminal.out(helpText(command.topic));
      return EXIT_CODES.ok;
    case 'status':
      show(await client.status(terminal.signal), command, terminal);
      return EXIT_CODES.ok;
    case 'watch':
      return watch(client, terminal, (status) => show(status, {isFull: false, ...command}, terminal));
    case 'metrics':
      terminal.out(await client.metrics());
      return EXIT_CODES.ok;
    case 'check':
      return check(command, client, terminal);
    case 'update':
      return update(command, client, terminal);
    case 'reboot':
      return order(client, terminal, '/v1/reboot', {now: command.isNow});
    case 'rollback':
    case 'reset':
    case 'mark-good':
      return order(client, terminal, `/v1/${command.name}`);
    case 'channel-show':
      return showChannel(command, client, terminal);
    case 'channel-forget':
      return order(client, terminal, '/v1/channel/forget');
    case 'deny-list':
      return listDenied(command, client, terminal);
    case 'deny-add':
      return order(client, terminal, '/v1/deny/add', {version: command.version, reason: command.reason});
    case 'deny-remove':
      return order(client, terminal, '/v1/deny/remove', {version: command.version});
  }
}

/** Calls back with the status now and with every change, until the signal. */
export async function watch(
  client: EngineClient,
  terminal: Terminal,
  onStatus: (status: Status) => void,
): Promise<number> {
  try {
    let status = await client.status(terminal.signal);
    for (;;) {
      onStatus(status);
      const {revision} = status;
      do status = await client.statusAfter(revision, terminal.signal);
      while (status.revision === revision);
      await sleep(GLANCE_MS, undefined, {signal: terminal.signal});
    }
  } catch (error) {
    if (terminal.signal.aborted) return EXIT_CODES.ok;
    throw error;
  }
}

function show(status: Status, options: {isFull: boolean; asJson: boolean}, terminal: Terminal): void {
  if (options.asJson) terminal.out(`${JSON.stringify(status, undefined, 2)}\n`);
  else terminal.out(formatStatus(status, terminal.now(), options.isFull));
}

async function order(client: EngineClient, terminal: Terminal, path: string, request = {}): Promise<number> {
  terminal.out(`${(await client.order(path, request)).message}\n`);
  return EXIT_CODES.ok;
}

async function listDenied(
  {asJson}: {asJson: boolean},
  client: EngineClient,
  terminal: Terminal,
): Promise<number> {
  const {denied} = await client.status(terminal.signal);
  if (asJson) terminal.out(`${JSON.stringify(denied, undefined, 2)}\n`);
  else for (const {version, reason} of denied) terminal.out(`${version}  ${reason}\n`);
  return EXIT_CODES.ok;
}

async function check({asJson}: {asJson: boolean}, client: EngineClient, terminal: Terminal): Promise<number> {
  await client.order('/v1/check');
  const {status, failure} = await waitForEnd(client, terminal, () => undefined);
  if (failure !== null) throw new ApiError('failed', failure.message, hintOf(failure));
  if (asJson) terminal.out(`${JSON.stringify(status.lastCheck, undefined, 2)}\n`);
  else terminal.out(`${status.lastCheck?.detail ?? 'nothing is known'}\n`);
  return EXIT_CODES.ok;
}

async function update(
  command: Command & {name: 'update'},
  client: EngineClient,
  terminal: Terminal,
): Promise<number> {
  const {message} = await client.order('/v1/update', {
    ...(command.version === null ? {} : {version: command.version}),
    ...(command.payload === null ? {} : {payload: terminal.resolve(command.payload)}),
  });
  if (!command.waits) {
    terminal.out(`${message}\n`);
    return EXIT_CODES.ok;
  }
  const {status, failure} = await waitForEnd(client, terminal, (line) => terminal.note(`${line}\n`));
  if (failure !== null) throw new ApiError('failed', failure.message, hintOf(failure));
  if (status.state === 'UPDATED_NEED_REBOOT') {
    terminal.out(`${status.offer?.version ?? 'the update'} is installed and starts with the next reboot\n`);
    return EXIT_CODES.ok;
  }
  const detail = status.lastCheck?.detail ?? 'there is nothing to install';
  // Who asks for a version by its name wants that one, and not to hear that all is well.
  const isMissed = command.version !== null && command.version !== status.os.version;
  if (isMissed || status.lastCheck?.outcome === 'refused') throw new ApiError('refused', detail);
  terminal.out(`${detail}\n`);
  return EXIT_CODES.ok;
}

async function showChannel(
  {asJson}: {asJson: boolean},
  client: EngineClient,
  terminal: Terminal,
): Promise<number> {
  const {channel} = await client.status(terminal.signal);
  terminal.out(
    asJson ? `${JSON.stringify(channel, undefined, 2)}\n` : formatChannel(channel, terminal.now()),
  );
  return EXIT_CODES.ok;
}

type Failure = NonNullable<Status['lastError']>;

/**
 * Follows what an order began until the engine is at rest, and tells what failed since. Ctrl-C ends the waiting, not
 * the update.
 */
export async function waitForEnd(
  client: EngineClient,
  terminal: Terminal,
  onLine: (line: string) => void,
): Promise<{status: Status; failure: Failure | null}> {
  const startedAt = terminal.now();
  let status = await client.status(terminal.signal);
  const before = status.lastError;
  let shown = '';
  for (;;) {
    const line = describe(status);
    if (line !== shown) onLine(line);
    shown = line;
    if (status.state === 'IDLE' || status.state === 'UPDATED_NEED_REBOOT') break;
    status = await nextStatus(client, status.revision, terminal);
    if (status.progress !== null) await sleep(GLANCE_MS, undefined, {signal: terminal.signal});
  }
  const isNew = status.lastError !== null && (status.lastError.at >= startedAt || before === null);
  return {status, failure: isNew ? status.lastError : null};
}

/** An engine that unpacks on a small machine may be slow to answer; the update goes on meanwhile. */
async function nextStatus(client: EngineClient, revision: number, terminal: Terminal): Promise<Status> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await client.statusAfter(revision, terminal.signal);
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'broken-off' || tries >= PATIENCE) throw error;
      await sleep(GLANCE_MS, undefined, {signal: terminal.signal});
    }
  }
}

function describe({state, offer, progress}: Status): string {
  const what = offer === null ? '' : ` ${offer.version}`;
  const size =
    offer === null || offer.bytes === 0 || progress !== null ? '' : ` (${formatBytes(offer.bytes)})`;
  return `${state}${what}${size}${progress === null ? '' : `: ${formatProgress(progress)}`}`;
}

function hintOf({hint}: Failure): {hint?: string} {
  return hint === null ? {} : {hint};
}
