/** Calls about machines: find them, see what became of one, forget one. */
import {eventLine} from '../event-words.ts';
import {ServerError} from '../errors.ts';
import {PROGRESS_NAMES, type ProgressName, progressName} from '../rollout/tally.ts';
import {
  type Instance,
  type TimelineEntry,
  findInstance,
  listInstances,
  listTimeline,
} from '../store/instances.ts';
import {ApiError, readPage, requireKnown} from './input.ts';
import type {ApiRoute, Call} from './router.ts';
import type {ApiTools} from './tools.ts';

/** As hosts call themselves, sent as one part of an address. */
const ONE = /^instances\/([^/]{1,400})$/;

export const INSTANCE_ROUTES: readonly ApiRoute[] = [
  {method: 'GET', path: /^instances$/, role: 'read', act: list},
  {method: 'GET', path: ONE, role: 'read', act: show},
  {method: 'DELETE', path: ONE, role: 'admin', act: forget},
];

const DEFAULT_TIMELINE = 100;

async function list({query}: Call, {database, now}: ApiTools): Promise<object> {
  requireKnown(query, ['search', 'group', 'state', 'version', 'silentFor', 'limit', 'after']);
  const {limit, after} = readPage(query);
  const {instances, total, next} = await listInstances(
    database,
    {
      search: query.get('search') ?? '',
      group: query.get('group'),
      progress: readProgress(query.get('state')),
      version: query.get('version'),
      silentSince: readSilence(query.get('silentFor'), now()),
      after,
    },
    limit,
  );
  return {instances: instances.map(describe), total, next};
}

async function show({words: [word = ''], query}: Call, {database}: ApiTools): Promise<object> {
  requireKnown(query, ['limit', 'offset']);
  const id = decode(word);
  const instance = await findInstance(database, id);
  if (instance === null) throw noMachine(id);
  const {limit} = query.has('limit') ? readPage(query) : {limit: DEFAULT_TIMELINE};
  const offset = /^\d{1,7}$/.exec(query.get('offset') ?? '0')?.[0];
  if (offset === undefined) throw new ApiError('bad-request', `offset is no number: ${query.get('offset')}`);
  const timeline = await listTimeline(database, id, {limit, offset: Number(offset)});
  return {...describe(instance), timeline: timeline.map(describeEntry)};
}

async function forget({words: [word = '']}: Call, {hub}: ApiTools): Promise<object> {
  const id = decode(word);
  if (!(await hub.forget(id))) throw noMachine(id);
  return {id, forgotten: true};
}

function describe({groupName, facts, member}: Instance): object {
  const {progress} = member;
  return {
    ...{id: member.id, group: groupName, version: member.version, state: progressName(member)},
    target: 'version' in progress ? progress.version : null,
    ...{progressAt: member.progressAt, lastSeenAt: member.lastSeenAt, setbacks: member.setbacks},
    ...{blame: member.blame, prefix: member.prefix, ...facts},
  };
}

function describeEntry(entry: TimelineEntry): object {
  if (entry.kind === 'grant') return {...entry, text: `was granted ${entry.version}`};
  return {...entry, text: eventLine(entry)};
}

function readProgress(word: string | null): ProgressName | null {
  const found = PROGRESS_NAMES.find((name) => name === word);
  if (word === null || found !== undefined) return found ?? null;
  throw new ApiError('bad-request', `there is no state ${word}; there are ${PROGRESS_NAMES.join(', ')}`);
}

/** Seconds. */
function readSilence(text: string | null, now: number): number | null {
  if (text === null) return null;
  if (!/^\d{1,9}$/.test(text))
    throw new ApiError('bad-request', `silentFor is no number of seconds: ${text}`);
  return now - 1000 * Number(text);
}

function decode(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch (error) {
    throw new ApiError('bad-request', `${word} is not encoded as addresses are`, {cause: error});
  }
}

function noMachine(id: string): ServerError {
  return new ServerError('no-machine', `there is no machine ${id}`);
}
