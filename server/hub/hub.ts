/**
 * The groups of a server at work: their rollouts in memory, in step with the store. A host is answered when everything
 * that the answer rests on is kept, so that a server which is killed knows afterwards whom it granted what.
 *
 * Rejected: asking the database on every request. The order of a hundred thousand machines would be counted again for
 * each of them.
 */
import {maskErrorCode} from '../../formats/omaha/codes.ts';
import {CAISSON_APP_ID, type OmahaRequest, type RequestApp} from '../../formats/omaha/request.ts';
import type {OmahaResponse, ResponseApp} from '../../formats/omaha/response.ts';
import {isVersion} from '../../formats/version.ts';
import {channelOfTrack} from '../channels.ts';
import {ServerError} from '../errors.ts';
import {BOARDS, type CodebaseOf, type OfferedRelease, SERVER_NAME, offerOf, withoutUpdate} from '../omaha.ts';
import {type Ledger, type Summary, openLedger} from '../rollout/ledger.ts';
import {happeningOf} from '../rollout/member.ts';
import {targetOf} from '../rollout/target.ts';
import {listGroups, type StoredGroup} from '../store/groups.ts';
import {
  type MachineFacts,
  type StoredEvent,
  type StoredGrant,
  type StoredMachine,
  loadMachines,
  saveBatch,
} from '../store/machines.ts';
import {listChannels, listPromotions, listReleases} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {answerApp, checkOf, pinnedRelease, refuseApp} from './answer.ts';
import {isMachineId, isStorableInteger, storable} from './texts.ts';
import {type Writer, createWriter} from './writer.ts';

export interface Hub {
  /** Throws what the store throws: then nobody was told anything. */
  answer(request: OmahaRequest, codebaseOf: CodebaseOf, now: number): Promise<OmahaResponse>;
  /** Time goes by: to be called now and then, for what happens without a host. */
  tick(now: number): Promise<void>;
  /** Reads channels, releases and groups anew, after any of them was changed in the store. */
  refresh(now: number): Promise<void>;
  /** A person's words about a group, by its name. Throw ServerError 'no-group'. */
  pause(group: string, reason: string, now: number): Promise<void>;
  resume(group: string, now: number): Promise<void>;
  /** Lets machines try again that were given up; gives how many. */
  retry(group: string, now: number): Promise<number>;
  summary(group: string): Summary;
  close(): Promise<void>;
}

interface GroupAtWork {
  readonly stored: StoredGroup;
  readonly ledger: Ledger;
  /** What its channel ever pointed to. */
  readonly past: readonly string[];
}

const MAX_PAST = 100;

export async function openHub(database: Database, now: number): Promise<Hub> {
  const writer: Writer = createWriter((batch) => saveBatch(database, batch));
  const groups = new Map<string, GroupAtWork>();
  const facts = new Map<string, MachineFacts>();
  const groupOf = new Map<string, string>();
  /** As they were handed to the writer last, which does not lose them. */
  const keptStates = new Map<string, Summary['state']>();
  let releases: ReadonlyMap<string, OfferedRelease> = new Map();

  async function refresh(at: number): Promise<void> {
    // What is on its way to the store is not in it yet.
    await writer.idle();
    const offered = (await listReleases(database)).filter(({isWithdrawn}) => !isWithdrawn);
    const channels = new Map((await listChannels(database)).map((channel) => [channel.name, channel]));
    releases = new Map(offered.map((release) => [release.version, release]));
    for (const stored of await listGroups(database)) {
      const past = (await listPromotions(database, stored.channel, MAX_PAST)).map(({version}) => version);
      const ledger = await ledgerOf(stored);
      groups.set(stored.id, {stored, ledger, past});
      const channel = channels.get(stored.channel);
      const version = channel?.version ?? null;
      const target = version === null ? null : {version, allowDowngrade: channel?.allowDowngrade ?? false};
      ledger.setTarget(targetOf(stored.policy, target), at);
    }
    await keep([], []);
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
    for (const machine of machines) {
      facts.set(machine.member.id, machine.facts);
      groupOf.set(machine.member.id, id);
    }
    return openLedger({policy, state, members: machines.map(({member}) => member)});
  }

  /** Everything that changed, in all groups. */
  async function keep(events: readonly StoredEvent[], grants: readonly StoredGrant[]): Promise<void> {
    const machines: StoredMachine[] = [];
    const states = new Map<string, Summary['state']>();
    for (const [id, {ledger}] of groups) {
      const changed = ledger.takeChanged();
      for (const member of changed) {
        const known = facts.get(member.id);
        if (known !== undefined) machines.push({groupId: id, facts: known, member});
      }
      const {state} = ledger.summary();
      if (keptStates.get(id) === state) continue;
      keptStates.set(id, state);
      states.set(id, state);
    }
    await writer.keep({machines, events, grants, states});
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

  function meet(app: RequestApp, groupId: string, at: number): void {
    const {machineId} = app;
    const before = groupOf.get(machineId);
    if (before !== undefined && before !== groupId) groups.get(before)?.ledger.forget(machineId);
    groupOf.set(machineId, groupId);
    facts.set(machineId, {
      alias: storable(app.machineAlias),
      oem: storable(app.oem),
      oemVersion: storable(app.oemVersion),
      alephVersion: storable(app.alephVersion),
      board: storable(app.board),
      firstSeenAt: facts.get(machineId)?.firstSeenAt ?? at,
    });
  }

  /** Events, then the sign of life, then the question: the order of Nebraska. */
  function answerOne(
    app: RequestApp,
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
    meet(app, groupId, at);
    const host = {id: machineId, version};
    for (const event of app.events) {
      const happening = happeningOf(event);
      if (happening !== null) ledger.hear(host, happening, at);
      const {type, result, errorCode, previousVersion} = event;
      if (!isStorableInteger(type) || !isStorableInteger(result)) continue;
      events.push({
        at,
        machineId,
        groupId,
        version,
        type,
        result,
        errorCode: errorCode === null ? null : maskErrorCode(errorCode),
        previousVersion: previousVersion === null ? null : storable(previousVersion),
      });
    }
    ledger.see(host, at);
    if (updateCheck === null) return answerApp(app, null);
    if (!BOARDS.includes(app.board)) return answerApp(app, withoutUpdate('error-osnotsupported'));
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

  await refresh(now);
  return {
    async answer({apps}, codebaseOf, at) {
      const events: StoredEvent[] = [];
      const grants: StoredGrant[] = [];
      const answered = apps.map((app) => answerOne(app, codebaseOf, at, events, grants));
      await keep(events, grants);
      return {server: SERVER_NAME, apps: answered};
    },
    async tick(at) {
      for (const {ledger} of groups.values()) ledger.advance(at);
      await keep([], []);
    },
    refresh,
    async pause(name, reason, at) {
      named(name).ledger.pause(reason, at);
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
    summary: (name) => named(name).ledger.summary(),
    close: () => writer.idle(),
  };
}
