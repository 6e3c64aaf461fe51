/**
 * The groups of a server at work: their rollouts in memory, in step with the store. A host is answered when everything
 * that the answer rests on is kept, so that a server which is killed knows afterwards whom it granted what. That a host
 * was seen once more, and nothing else, is what no answer rests on: it is kept with the next tick.
 *
 * Rejected: asking the database on every request. The order of a hundred thousand machines would be counted again for
 * each of them.
 */
import {CAISSON_APP_ID, type OmahaRequest, type RequestApp} from '../../formats/omaha/request.ts';
import type {OmahaResponse, ResponseApp} from '../../formats/omaha/response.ts';
import {isVersion} from '../../formats/version.ts';
import {channelOfTrack} from '../channels.ts';
import {ServerError} from '../errors.ts';
import {
  type CodebaseOf,
  type OfferedRelease,
  SERVER_NAME,
  isOurArchitecture,
  offerOf,
  withoutUpdate,
} from '../omaha.ts';
import {type Ledger, type Summary, openLedger} from '../rollout/ledger.ts';
import {type Member, happeningOf} from '../rollout/member.ts';
import {targetOf} from '../rollout/target.ts';
import {type StoredGroup, deleteGroup, listGroups} from '../store/groups.ts';
import {deleteInstance} from '../store/instances.ts';
import {
  type StoredEvent,
  type StoredGrant,
  type StoredMachine,
  loadMachines,
  saveBatch,
} from '../store/machines.ts';
import {listChannels, listPromotions, listReleases} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {answerApp, checkOf, pinnedRelease, refuseApp} from './answer.ts';
import {eventsToKeep} from './events.ts';
import {createMachineBook} from './machine-book.ts';
import {isMachineId, printable, storable} from './texts.ts';
import {NOTHING, type Writer, createWriter, isEmpty} from './writer.ts';

export interface Hub {
  /** Throws what the store throws: then nobody was told anything. */
  answer(request: OmahaRequest, codebaseOf: CodebaseOf, now: number): Promise<OmahaResponse>;
  /** Time goes by: to be called now and then, for what happens without a host. */
  tick(now: number): Promise<void>;
  /** Reads channels, releases and groups anew, after any of them was changed in the store. */
  refresh(now: number): Promise<void>;
  /** Another one after every time that channels, releases or groups may have changed. */
  revision(): number;
  /** A person's words about a group, by its name. Throw ServerError 'no-group'. */
  pause(group: string, reason: string, now: number): Promise<void>;
  resume(group: string, now: number): Promise<void>;
  /** Lets machines try again that were given up; gives how many. */
  retry(group: string, now: number): Promise<number>;
  /** Also in the store; false for a machine that nobody knows. One that asks again is a new one. */
  forget(machineId: string): Promise<boolean>;
  /** With its machines, in the store as well, by its id; gives how many they were. */
  dropGroup(id: string): Promise<number>;
  summary(group: string): Summary;
  /** Of a group, by its name. */
  members(group: string): Iterable<Member>;
  /** Hears names of groups in which something changed, once it is kept; none: all may have. Returns what ends it. */
  onChange(listener: (groups: readonly string[]) => void): () => void;
  /** Keeps what is not kept yet. */
  close(): Promise<void>;
}

interface GroupAtWork {
  readonly stored: StoredGroup;
  readonly ledger: Ledger;
  /** What its channel ever pointed to. */
  readonly past: readonly string[];
}

/** Some ten milliseconds of the embedded database, in which nobody else is answered. */
const SIGHTINGS_A_BATCH = 500;

export async function openHub(database: Database, now: number): Promise<Hub> {
  const writer: Writer = createWriter((batch) => saveBatch(database, batch));
  const groups = new Map<string, GroupAtWork>();
  const book = createMachineBook();
  /** As they were handed to the writer last, which does not lose them. */
  const keptStates = new Map<string, Summary['state']>();
  const listeners = new Set<(groups: readonly string[]) => void>();
  let releases: ReadonlyMap<string, OfferedRelease> = new Map();
  let revision = 0;

  async function refresh(at: number): Promise<void> {
    revision += 1;
    // What is on its way to the store is not in it yet.
    await writer.idle();
    const offered = (await listReleases(database)).filter(({isWithdrawn}) => !isWithdrawn);
    const channels = new Map((await listChannels(database)).map((channel) => [channel.name, channel]));
    releases = new Map(offered.map((release) => [release.version, release]));
    for (const stored of await listGroups(database)) {
      const past = (await listPromotions(database, stored.channel)).map(({version}) => version);
      const ledger = await ledgerOf(stored);
      groups.set(stored.id, {stored, ledger, past});
      const channel = channels.get(stored.channel);
      const version = channel?.version ?? null;
      const pointed = version === null ? null : {version, allowDowngrade: channel?.allowDowngrade ?? false};
      const target = targetOf(stored.policy, pointed);
      // What was withdrawn is nobody's aim any more; a machine that has it on its way is told that there is nothing.
      ledger.setTarget(target !== null && releases.has(target.version) ? target : null, at);
    }
    await keep([], []);
    tell([]);
  }

  function tell(changed: readonly string[]): void {
    for (const listener of listeners) listener(changed);
  }

  /** With the same policy the one that is at work; with another a new one, that goes on where it was. */
  async function ledgerOf(stored: StoredGroup): Promise<Ledger> {
    const {id, policy, state, document} = stored;
    const before = groups.get(id);
    if (before !== undefined) {
      if (JSON.stringify(before.stored.document) === JSON.stringify(document)) return before.ledger;
      const {state: current} = before.ledger.summary();
      return openLedger({policy, state: current, members: [...before.ledger.members()]});
    }
    const machines = await loadMachines(database, id);
    book.load(machines);
    return openLedger({policy, state, members: machines.map(({member}) => member)});
  }

  /** Everything that changed, in all groups. Does not wait when nothing did. */
  async function keep(events: readonly StoredEvent[], grants: readonly StoredGrant[]): Promise<void> {
    const machines: StoredMachine[] = [];
    const states = new Map<string, Summary['state']>();
    const touched = new Set<string>();
    for (const [id, {ledger, stored}] of groups) {
      const changed = ledger.takeChanged();
      if (changed.length > 0) touched.add(stored.name);
      machines.push(...book.describe(id, changed));
      const state = ledger.state();
      if (keptStates.get(id) === state) continue;
      keptStates.set(id, state);
      states.set(id, state);
      touched.add(stored.name);
    }
    const batch = {machines, events, grants, states};
    if (!isEmpty(batch)) await writer.keep(batch);
    if (touched.size > 0) tell([...touched]);
  }

  /** Who was only seen since the last time, a few at a time: hosts that ask meanwhile shall not wait for all of them. */
  async function keepSightings(): Promise<void> {
    for (const [id, {ledger, stored}] of groups)
      for (;;) {
        const machines = book.describe(id, ledger.takeSeen(SIGHTINGS_A_BATCH));
        if (machines.length === 0) break;
        await writer.keep({...NOTHING, machines});
        tell([stored.name]);
      }
  }

  function find(track: string): GroupAtWork | undefined {
    const name = channelOfTrack(track) ?? track.toLowerCase().replaceAll(/[{}]/g, '');
    for (const group of groups.values())
      if (group.stored.name.toLowerCase() === name || group.stored.id === name) return group;
    return undefined;
  }

  function named(name: string): GroupAtWork {
    const group = [...groups.values()].find(({stored}) => stored.name === name);
    if (group === undefined) throw new ServerError('no-group', `there is no group ${name}`);
    return group;
  }

  /** Events, then the sign of life, then the question: the order of Nebraska. */
  function answerOne(
    app: RequestApp,
    arch: string,
    codebaseOf: CodebaseOf,
    at: number,
    events: StoredEvent[],
    grants: StoredGrant[],
  ): ResponseApp {
    const {machineId, version, updateCheck} = app;
    if (app.appId.toLowerCase() !== CAISSON_APP_ID) return refuseApp(app, 'error-unknownApplication');
    const group = find(app.track);
    if (group === undefined) return refuseApp(app, 'error-unknownApplicationOrGroup');
    if (!isVersion(version)) return refuseApp(app, 'error-invalidVersion');
    if (!isMachineId(machineId)) return refuseApp(app, 'error-instanceRegistrationFailed');
    const {ledger, past, stored} = group;
    const groupId = stored.id;
    const before = book.groupOf(machineId);
    if (before !== undefined && before !== groupId) groups.get(before)?.ledger.forget(machineId);
    book.note(app, groupId, at);
    const host = {id: machineId, version};
    for (const event of app.events) {
      const happening = happeningOf(event);
      if (happening !== null) ledger.hear(host, happening, at);
    }
    events.push(...eventsToKeep(app, groupId, at));
    ledger.see(host, at);
    if (updateCheck === null) return answerApp(app, null);
    if (!isOurArchitecture(app.board, arch)) return answerApp(app, withoutUpdate('error-osnotsupported'));
    const prefix = storable(updateCheck.targetVersionPrefix);
    const verdict = ledger.ask({...host, prefix}, at);
    if (verdict.kind === 'grant' && verdict.isNew)
      grants.push({at, machineId, groupId, version: verdict.version});
    const pinned =
      verdict.kind === 'nothing' && prefix !== ''
        ? pinnedRelease({version, prefix}, past, releases)
        : undefined;
    return answerApp(
      app,
      pinned === undefined ? checkOf(verdict, releases, codebaseOf) : offerOf(pinned, codebaseOf),
    );
  }

  let sightings: Promise<void> | null = null;
  await refresh(now);
  return {
    async answer({apps, os}, codebaseOf, at) {
      const events: StoredEvent[] = [];
      const grants: StoredGrant[] = [];
      const answered = apps.map((app) => answerOne(app, os.arch, codebaseOf, at, events, grants));
      await keep(events, grants);
      // What this host is told may follow from what others did a moment ago.
      if (answered.some(restsOnOthers)) await writer.settled();
      return {server: SERVER_NAME, apps: answered};
    },
    async tick(at) {
      for (const {ledger} of groups.values()) ledger.advance(at);
      await keep([], []);
      sightings ??= keepSightings().finally(() => (sightings = null));
      await sightings;
    },
    refresh,
    revision: () => revision,
    async pause(name, reason, at) {
      // Hosts are told it.
      named(name).ledger.pause(printable(reason), at);
      await keep([], []);
    },
    async resume(name, at) {
      named(name).ledger.resume(at);
      await keep([], []);
    },
    async retry(name, at) {
      const count = named(name).ledger.retry(at);
      await keep([], []);
      return count;
    },
    async forget(machineId) {
      groups.get(book.groupOf(machineId) ?? '')?.ledger.forget(machineId);
      book.forget(machineId);
      // What is on its way to the store would bring it back.
      await writer.settled();
      const isKnown = await deleteInstance(database, machineId);
      tell([]);
      return isKnown;
    },
    async dropGroup(id) {
      const group = groups.get(id);
      if (group === undefined) throw new ServerError('no-group', `there is no group ${id}`);
      const members = [...group.ledger.members()].map((member) => member.id);
      groups.delete(id);
      for (const member of members) {
        group.ledger.forget(member);
        book.forget(member);
      }
      // Whatever was handed over of it goes before it does; nothing follows.
      await writer.settled();
      await deleteGroup(database, id);
      revision += 1;
      keptStates.delete(id);
      tell([]);
      return members.length;
    },
    summary: (name) => named(name).ledger.summary(),
    members: (name) => named(name).ledger.members(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await sightings?.catch(() => undefined);
      await keepSightings();
      await writer.idle();
    },
  };
}

/** That there is nothing for a host follows from what it is, and from what its channel points to. */
function restsOnOthers({updateCheck}: ResponseApp): boolean {
  return updateCheck !== null && (updateCheck.manifest !== null || updateCheck.hold !== null);
}
