/**
 * `locksmithctl` as the lineage had it: same verbs, flags and output, because operators' scripts call it. What differs:
 * the document lies in etcd's v3 store, `reboot` hands over to the update engine, and `status` of an etcd that does not
 * answer is an error and not a crash.
 */
import {parseArgs} from 'node:util';
import type {EtcdKeeper} from '../../coordination/etcd-lock.ts';
import type {EngineClient} from '../api/client.ts';
import {EXIT_CODES} from './help.ts';
import {LOCK_FLAGS, type LockFlags} from './lock-settings.ts';
import {formatLocksmithStatus} from './lock-text.ts';
import type {Terminal} from './run.ts';

export type LocksmithVerb =
  | {kind: 'help' | 'version' | 'status' | 'reboot' | 'send-need-reboot'}
  | {kind: 'lock' | 'unlock'; id: string | null}
  | {kind: 'set-max'; max: number};

export const LOCKSMITH_HELP = `usage: locksmithctl [FLAG...] COMMAND

  status            how many reboots the lock allows, and who holds it
  lock [ID]         take the lock for a machine, this one unless named
  unlock [ID]       free it
  set-max N         how many may hold it at once
  reboot            restart this machine as soon as it has the lock
  send-need-reboot  have the update engine restart this machine by its strategy
  help

  -endpoint URL[,URL]  -group NAME
  -etcd-cafile FILE  -etcd-certfile FILE  -etcd-keyfile FILE  -etcd-username NAME  -etcd-password TEXT
  -debug  -version

Each flag but the last two may come as LOCKSMITHCTL_... in the environment; without either, what the host's own
/etc/caisson/update.conf has as LOCKSMITHD_... counts. caissonctl lock tells and does more.
`;

/** What the lineage ended with for a command that it did not know. */
const UNKNOWN_COMMAND = 2;
const SWITCHES = ['debug', 'version', 'help'] as const;

export type Parsed = {verb: LocksmithVerb; flags: LockFlags} | {problem: string; code: number};

/** Flags may have one hyphen or two, as Go's have, and stand before the command or after it. */
export function parseLocksmith(words: readonly string[]): Parsed {
  const options = {
    ...Object.fromEntries(LOCK_FLAGS.map((name) => [name, {type: 'string'}] as const)),
    ...Object.fromEntries(SWITCHES.map((name) => [name, {type: 'boolean'}] as const)),
  };
  let parsed;
  try {
    const args = words.map((word) => (/^-[a-z]/.test(word) ? `-${word}` : word));
    parsed = parseArgs({args, options, allowPositionals: true, strict: true});
  } catch (error) {
    return {problem: error instanceof Error ? error.message : String(error), code: UNKNOWN_COMMAND};
  }
  const {values, positionals} = parsed as {values: Record<string, string | boolean>; positionals: string[]};
  const flags = Object.fromEntries(
    Object.entries(values).filter(([, value]) => typeof value === 'string'),
  ) as LockFlags;
  if (values['version'] === true) return {verb: {kind: 'version'}, flags};
  if (values['help'] === true) return {verb: {kind: 'help'}, flags};
  const verb = verbOf(positionals);
  return 'problem' in verb ? verb : {verb, flags};
}

function verbOf([name = 'help', ...rest]: readonly string[]):
  LocksmithVerb | {problem: string; code: number} {
  const [first] = rest;
  switch (name) {
    case 'help':
    case 'status':
    case 'reboot':
    case 'send-need-reboot':
      return {kind: name};
    case 'lock':
    case 'unlock':
      return {kind: name, id: first ?? null};
    case 'set-max':
      if (first === undefined || !/^[0-9]{1,4}$/.test(first))
        return {problem: `set-max takes a number, not ${first ?? 'nothing'}`, code: EXIT_CODES.failed};
      return {kind: name, max: Number(first)};
    default:
      return {problem: `unknown command ${name}`, code: UNKNOWN_COMMAND};
  }
}

export interface LocksmithTools {
  readonly keeper: EtcdKeeper;
  readonly client: EngineClient;
  readonly self: string;
  readonly version: string;
}

/** Returns the exit code. Throws LockError, ClientError and ApiError. */
export async function runLocksmith(
  verb: LocksmithVerb,
  tools: LocksmithTools,
  terminal: Terminal,
): Promise<number> {
  const {keeper, client, self} = tools;
  const {signal} = terminal;
  const group = keeper.group();
  switch (verb.kind) {
    case 'help':
      terminal.out(LOCKSMITH_HELP);
      return EXIT_CODES.ok;
    case 'version':
      terminal.out(`locksmithctl version ${tools.version}\n`);
      return EXIT_CODES.ok;
    case 'status':
      terminal.out(formatLocksmithStatus(await group.view(signal)));
      return EXIT_CODES.ok;
    case 'lock': {
      const id = verb.id ?? self;
      const before = await group.view(signal);
      if (before.holders.some((holder) => holder.id === id))
        return refuse(terminal, 'Error locking: holder exists');
      const answer = await group.tryAcquire(id, {reason: 'taken with locksmithctl', version: null}, signal);
      return answer.kind === 'held'
        ? EXIT_CODES.ok
        : refuse(terminal, `Error locking: semaphore is at ${before.available}`);
    }
    case 'unlock': {
      const outcome = await group.release(verb.id ?? self, signal);
      return outcome === 'released'
        ? EXIT_CODES.ok
        : refuse(terminal, 'Error unlocking: holder does not exist');
    }
    case 'set-max': {
      const {oldMax, max} = await group.setMax(verb.max, signal);
      terminal.out(`Old-Max: ${oldMax}\nMax: ${max}\n`);
      return EXIT_CODES.ok;
    }
    case 'reboot':
      terminal.note(`${(await client.order('/v1/reboot', {now: true})).message}\n`);
      return EXIT_CODES.ok;
    case 'send-need-reboot':
      terminal.note(`${(await client.order('/v1/reboot')).message}\n`);
      return EXIT_CODES.ok;
  }
}

function refuse(terminal: Terminal, text: string): number {
  terminal.note(`${text}\n`);
  return EXIT_CODES.failed;
}
