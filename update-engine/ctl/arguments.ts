/** The command line of caissonctl, by Node's own parser: it starts in no time, where a library of commands takes 60 ms. */
import {parseArgs} from 'node:util';
import {CodedError} from '../../formats/errors.ts';
import {MAX_EXPIRY_SECONDS, MAX_HOLDERS} from '../../formats/semaphore/types.ts';
import {readDuration} from '../../formats/reboot-settings-values.ts';
import {isVersion} from '../../formats/version.ts';
import type {LockFlags} from './lock-settings.ts';

export class UsageError extends CodedError<'usage'> {}

export type Command =
  | {name: 'help'; topic: string | null}
  | {name: 'status'; isFull: boolean; asJson: boolean}
  | {name: 'watch'; asJson: boolean}
  | {name: 'check'; asJson: boolean}
  | {name: 'update'; version: string | null; payload: string | null; waits: boolean}
  | {name: 'rollback'}
  | {name: 'reset'}
  | {name: 'mark-good'}
  | {name: 'channel-show'; asJson: boolean}
  | {name: 'channel-forget'}
  | {name: 'deny-list'; asJson: boolean}
  | {name: 'deny-add'; version: string; reason: string}
  | {name: 'deny-remove'; version: string}
  | {name: 'metrics'}
  | {name: 'reboot'; isNow: boolean}
  | ({asJson: boolean; flags: LockFlags} & (
      | {name: 'lock-status'}
      | {name: 'lock-groups'}
      | {name: 'lock-take'; id: string | null; reason: string}
      | {name: 'lock-free'; id: string | null}
      | {name: 'lock-set-max'; max: number}
      | {name: 'lock-set-expiry'; seconds: number | null}
    ));

export type LockCommand = Extract<Command, {name: `lock-${string}`}>;

export function isLockCommand(command: Command): command is LockCommand {
  return command.name.startsWith('lock-');
}

const FLAGS = {
  explain: {type: 'boolean'},
  json: {type: 'boolean'},
  version: {type: 'string'},
  payload: {type: 'string'},
  'no-wait': {type: 'boolean'},
  reason: {type: 'string'},
  now: {type: 'boolean'},
  endpoint: {type: 'string'},
  group: {type: 'string'},
  help: {type: 'boolean', short: 'h'},
} as const;
type Flag = keyof typeof FLAGS;

const LOCK = ['json', 'endpoint', 'group'] as const;

/** Flags that a command takes, and how many words after its name. */
const COMMANDS: Readonly<Record<string, {flags: readonly Flag[]; words: number}>> = {
  status: {flags: ['explain', 'json'], words: 0},
  watch: {flags: ['json'], words: 0},
  check: {flags: ['json'], words: 0},
  update: {flags: ['version', 'payload', 'no-wait'], words: 0},
  rollback: {flags: [], words: 0},
  reset: {flags: [], words: 0},
  'mark-good': {flags: [], words: 0},
  'channel show': {flags: ['json'], words: 0},
  'channel forget': {flags: [], words: 0},
  'deny list': {flags: ['json'], words: 0},
  'deny add': {flags: ['reason'], words: 1},
  'deny remove': {flags: [], words: 1},
  metrics: {flags: [], words: 0},
  reboot: {flags: ['now'], words: 0},
  'lock status': {flags: LOCK, words: 0},
  'lock groups': {flags: LOCK, words: 0},
  'lock take': {flags: [...LOCK, 'reason'], words: 1},
  'lock free': {flags: LOCK, words: 1},
  'lock set-max': {flags: LOCK, words: 1},
  'lock set-expiry': {flags: LOCK, words: 1},
  help: {flags: [], words: 1},
};

/** Words that have commands of their own, and the one that is meant without any. */
const GROUPS: Readonly<Record<string, string>> = {channel: 'show', deny: 'list', lock: 'status'};

/** Throws UsageError. */
export function parseCommand(argv: readonly string[]): Command {
  const {values, positionals} = parse(argv);
  const [first = values.help === true ? 'help' : 'status', ...others] = positionals;
  const isGroup = Object.hasOwn(GROUPS, first);
  const name = isGroup ? `${first} ${others[0] ?? GROUPS[first] ?? ''}` : first;
  const words = isGroup ? others.slice(1) : others;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw usage(`there is no command ${name}`);
  if (values.help === true) return {name: 'help', topic: name === 'help' ? null : name};
  const odd = Object.keys(values).find((flag) => !(command.flags as readonly string[]).includes(flag));
  if (odd !== undefined) throw usage(`${name} takes no --${odd}`);
  if (words.length > command.words) throw usage(`${name} does not take ${words[command.words] ?? ''}`);
  return build(name, words, values);
}

type Values = ReturnType<typeof parse>['values'];

function build(name: string, words: readonly string[], values: Values): Command {
  const asJson = values.json === true;
  switch (name) {
    case 'status':
      return {name, isFull: values.explain === true, asJson};
    case 'watch':
    case 'check':
      return {name, asJson};
    case 'update':
      if (values.version !== undefined && values.payload !== undefined)
        throw usage('--version and --payload exclude each other');
      return {
        name,
        version: values.version === undefined ? null : readVersion(values.version),
        payload: values.payload ?? null,
        waits: values['no-wait'] !== true,
      };
    case 'rollback':
    case 'reset':
    case 'mark-good':
    case 'metrics':
      return {name};
    case 'channel show':
      return {name: 'channel-show', asJson};
    case 'channel forget':
      return {name: 'channel-forget'};
    case 'deny list':
      return {name: 'deny-list', asJson};
    case 'deny add':
      return {
        name: 'deny-add',
        version: readVersion(words[0]),
        reason: values.reason ?? 'denied by an operator',
      };
    case 'deny remove':
      return {name: 'deny-remove', version: readVersion(words[0])};
    case 'reboot':
      return {name, isNow: values.now === true};
    default:
      return name.startsWith('lock ')
        ? buildLock(name, words[0], values)
        : {name: 'help', topic: words[0] ?? null};
  }
}

function buildLock(name: string, word: string | undefined, values: Values): Command {
  const {endpoint, group} = values;
  const shared = {
    asJson: values.json === true,
    flags: {...(endpoint === undefined ? {} : {endpoint}), ...(group === undefined ? {} : {group})},
  };
  switch (name) {
    case 'lock groups':
      return {...shared, name: 'lock-groups'};
    case 'lock take':
      return {
        ...shared,
        name: 'lock-take',
        id: word ?? null,
        reason: values.reason ?? 'taken by an operator',
      };
    case 'lock free':
      return {...shared, name: 'lock-free', id: word ?? null};
    case 'lock set-max':
      return {...shared, name: 'lock-set-max', max: readMax(word)};
    case 'lock set-expiry':
      return {...shared, name: 'lock-set-expiry', seconds: readExpiry(word)};
    default:
      return {...shared, name: 'lock-status'};
  }
}

function readMax(text: string | undefined): number {
  const max = /^\d{1,6}$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (max <= MAX_HOLDERS) return max;
  throw usage(`set-max takes a number up to ${MAX_HOLDERS}, not ${text ?? 'nothing'}`);
}

function readExpiry(text: string | undefined): number | null {
  if (text === 'off') return null;
  const reading = readDuration(text ?? '', 1000, 1000 * MAX_EXPIRY_SECONDS);
  if (reading.kind === 'value') return Math.round(reading.value / 1000);
  throw usage(
    `set-expiry takes a time such as 24h, or off: ${JSON.stringify(text ?? '')} ${reading.problem}`,
  );
}

function readVersion(text: string | undefined): string {
  if (text === undefined) throw usage('name a version, for example 1.4.0');
  if (!isVersion(text)) throw usage(`${text} is no version; they look like 1.4.0`);
  return text;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({args: [...argv], options: FLAGS, allowPositionals: true, strict: true});
  } catch (error) {
    // Its messages are made for people, their advice on a leading hyphen apart.
    const message = error instanceof Error ? error.message.replace(/\. To specify.*$/s, '') : String(error);
    throw usage(message, error);
  }
}

function usage(message: string, cause?: unknown): UsageError {
  return new UsageError('usage', message, {cause, hint: 'caissonctl --help'});
}
