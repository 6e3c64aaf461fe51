/**
 * The way of a request through the release server, from its bytes to those of the answer: whatever hosts send, and
 * whatever the clock does, there is an answer that a client can read, or a refusal; nobody is granted anything beyond
 * what the policy lets go; and what is to be kept is what a database can keep.
 */
import {isDeepStrictEqual} from 'node:util';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {
  CAISSON_APP_ID,
  type OmahaEvent,
  type OmahaRequest,
  type RequestApp,
  decodeRequest,
  encodeRequest,
} from '../../formats/omaha/request.ts';
import {decodeResponse, encodeResponse} from '../../formats/omaha/response.ts';
import {type Hub, openHub} from '../../server/hub/hub.ts';
import {beginRollout} from '../../server/rollout/state.ts';
import type {PolicyDocument} from '../../server/rollout/policy.ts';
import {openMemoryDatabase} from '../support/memory-database.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const T0 = Date.UTC(2026, 0, 5, 10);
const MAX_IN_FLIGHT = 3;
const REQUESTS = 12;
const MACHINES = 8;

const POLICY: Partial<PolicyDocument> = {
  pace: '2 every 1h',
  inFlight: MAX_IN_FLIGHT,
  windows: 'Mon-Fri 09:00+8h Europe/Berlin',
  steppingStones: ['1.5.0'],
};
const GROUP_ID = '0b4a3b9e-4f5c-4d6e-8f70-112233445566';
const TRACKS = ['stable', 'STABLE', GROUP_ID, `{${GROUP_ID}}`, 'alpha', '', '\u0130', 'x'.repeat(300)];
const VERSIONS = [
  '1.0.0',
  '1.5.0',
  '2.0.0',
  '2.0.0-rc.1',
  '3.0.0',
  '',
  '1',
  '99999999999999999999.0.0',
  '\u0001',
];
const NUMBERS = [0, 1, 2, 3, 4, 9, 13, 14, 44, 2 ** 28 + 44, 2 ** 31, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER];
const TEXTS = [
  '',
  'rack 4',
  '\u00fc"&<>\'',
  '\ud83d\ude80'.repeat(130),
  '\u0085\u009b31m',
  'a\tb\nc',
  '\u2028',
];
/** Hours by which a clock goes on, stands still, or is put right. */
const HOURS = [0, 0, 0.01, 0.5, 1, 3, 25, -1, -48, 24 * 3650];

export const answerTarget: FuzzTarget = {
  name: 'answer',
  what: 'requests of hosts to the release server, on their whole way',
  prepare: () => Promise.resolve(step),
};

async function step(random: Random): Promise<void> {
  const hub = await openHub(openMemoryDatabase(rows()), T0);
  let now = T0;
  for (let left = 1 + random.below(REQUESTS); left > 0; left -= 1) {
    now = Math.max(0, now + 3_600_000 * pick(HOURS, random));
    if (random.below(8) === 0) await speak(hub, random, now);
    const before = hub.summary('stable');
    const bytes = requestBytes(random);
    const grants = await answer(hub, bytes, now);
    const {state, inFlight} = hub.summary('stable');
    if (grants > 0 && (before.state.stopped !== null || state.target === null))
      throw new Error('something was granted while the group is stopped');
    if (inFlight > MAX_IN_FLIGHT && inFlight > before.inFlight && grants > 0)
      throw new Error(`${inFlight} machines are in flight`);
  }
  await hub.close();
}

/** What people do to a group. */
async function speak(hub: Hub, random: Random, now: number): Promise<void> {
  const act = random.below(4);
  if (act === 0) await hub.pause('stable', pick([...TEXTS, '\u0000\u0001\ufffe\ud800'], random), now);
  else if (act === 1) await hub.resume('stable', now);
  else if (act === 2) await hub.retry('stable', now);
  else await hub.tick(now);
}

/** Gives how many apps are offered something anew. */
async function answer(hub: Hub, bytes: Uint8Array, now: number): Promise<number> {
  let request: OmahaRequest;
  try {
    request = decodeRequest(bytes);
  } catch (error) {
    if (error instanceof OmahaError) return 0;
    throw error;
  }
  const before = hub.summary('stable').counts.granted;
  const response = await hub.answer(request, ({sha256}) => `http://u.example/payloads/${sha256}/`, now);
  const read = decodeResponse(encodeResponse(response));
  const shape = ({apps}: {apps: readonly {appId: string}[]}): readonly string[] =>
    apps.map(({appId}) => appId);
  if (!isDeepStrictEqual(shape(read), shape(request))) throw new Error('the answer is about other apps');
  read.apps.forEach((app, index) => {
    const asked = request.apps[index];
    if (app.events !== asked?.events.length) throw new Error('events are not acknowledged');
    if ((app.updateCheck === null) !== (asked.updateCheck === null))
      throw new Error('a question has no answer');
    if (app.updateCheck?.status === 'ok' && app.updateCheck.manifest === null)
      throw new Error('ok, and nothing');
  });
  return hub.summary('stable').counts.granted - before;
}

function requestBytes(random: Random): Uint8Array {
  const apps = Array.from({length: random.below(5) === 0 ? random.below(4) : 1}, () => appOf(random));
  const os = {platform: 'CoreOS', version: 'Chateau', sp: '', arch: ''};
  const bytes = encodeSafely({updaterVersion: '', installSource: 'scheduler', os, apps});
  return random.below(3) === 0 ? mutate(bytes, random) : bytes;
}

/** Hosts write XML with references; what no XML can hold is left out by them, and tried by mutations. */
function encodeSafely(request: OmahaRequest): Uint8Array {
  try {
    return encodeRequest(request);
  } catch (error) {
    if (error instanceof OmahaError) return Buffer.from('<request protocol="3.0"/>');
    throw error;
  }
}

function appOf(random: Random): RequestApp {
  const odd = <T>(usual: T, others: readonly T[]): T =>
    random.below(4) === 0 ? pick(others, random) : usual;
  const machine = `${random.below(MACHINES)}`.repeat(32);
  return {
    appId: odd(CAISSON_APP_ID, [CAISSON_APP_ID.toUpperCase(), 'x', '{}']),
    version: pick(VERSIONS.slice(0, random.below(3) === 0 ? VERSIONS.length : 3), random),
    track: odd('stable', TRACKS),
    board: odd('amd64-usr', ['', 'arm64-usr', 'x'.repeat(4096)]),
    machineId: odd(machine, ['', `{${machine}}`, 'a b', '__proto__', 'constructor']),
    machineAlias: odd('', TEXTS),
    bootId: odd('', TEXTS),
    oem: odd('', TEXTS),
    oemVersion: '',
    alephVersion: odd('', VERSIONS),
    deltaOkay: false,
    ping: random.below(2) === 0,
    updateCheck:
      random.below(4) === 0 ? null : {targetVersionPrefix: odd('', ['1', '1.5', '2.', '9', '\u00fc'])},
    events: Array.from({length: random.below(3)}, () => eventOf(random)),
  };
}

function eventOf(random: Random): OmahaEvent {
  return {
    type: pick([3, 13, 14, ...NUMBERS], random),
    result: pick([0, 1, 2, ...NUMBERS], random),
    errorCode: random.below(2) === 0 ? null : pick(NUMBERS, random),
    previousVersion: random.below(2) === 0 ? null : pick([...VERSIONS.slice(0, 6), ...TEXTS], random),
  };
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)] as T;
}

function rows(): Parameters<typeof openMemoryDatabase>[0] {
  const release = (version: string): Record<string, unknown> => ({
    ...{version, bytes: 10, sha256: Buffer.from(version.padEnd(32)).toString('hex'), published_at: T0},
    ...{sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00=', published_by: '', signed_by: ''},
    ...{is_withdrawn: false, withdrawn_why: '', removed_at: null},
  });
  const promotion = {channel: 'stable', version: '2.0.0', allow_downgrade: false, at: T0, by: 't'};
  const state = JSON.stringify(beginRollout(null, T0));
  const group = {name: 'stable', channel: 'stable', policy: JSON.stringify(POLICY), state, created_at: T0};
  return {
    releases: ['1.0.0', '1.5.0', '2.0.0'].map(release),
    channels: [{name: 'stable', version: '2.0.0', allow_downgrade: false, promoted_at: T0}],
    promotions: [{...promotion, version: '1.5.0'}, promotion],
    groups: [{id: GROUP_ID, ...group}],
  };
}
