/** The check: what is on offer, by the server or in a file, and whether this host wants it. */
import type {KeyObject} from 'node:crypto';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {describeHold} from '../../formats/omaha/hold.ts';
import type {Offer as ServerOffer} from '../../formats/omaha/offer.ts';
import type {UpdateHold} from '../../formats/omaha/response.ts';
import {eventOfCheck, type OmahaHost} from '../omaha/request-of.ts';
import {checkForUpdate} from '../omaha/client.ts';
import {type PayloadState, payloadStateFor, waitsUntil} from '../omaha/payload-policy.ts';
import type {UpdateConf} from '../../formats/update-conf.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {type Candidate, type HostFacts, type Policy, decide} from '../decide.ts';
import type {CheckOutcome, LookOutcome, Offer, Target, Wish} from '../machine/states.ts';
import {judgeOffer, withheld} from '../channel/judge.ts';
import type {ChannelWatch, Watched} from './channel-watch.ts';
import {CheckError} from './failure.ts';
import {describePayloadFile} from './payload-file.ts';

export interface CheckContext {
  conf: UpdateConf;
  host: OmahaHost;
  facts: HostFacts;
  /** Whether this host ever installed an update. */
  wasUpdated: boolean;
  payload: PayloadState | null;
  channel: ChannelWatch;
  /** Milliseconds since 1970. */
  now: number;
  signal: AbortSignal;
}

export interface Checked<Outcome = CheckOutcome> {
  outcome: Outcome;
  /** For the schedule. */
  pollSeconds: number | null;
  /**
   * What the channel has for this host, whether the host wants it or not, and why it does not get it yet. Null when that
   * was not the question, or no answer to it.
   */
  onOffer: {version: string | null; hold: UpdateHold | null} | null;
}

/** Throws CheckError, and for a file PayloadError or an error of the operating system. */
export async function checkFile(
  path: string,
  wish: Wish,
  keys: readonly KeyObject[],
  context: CheckContext,
): Promise<Checked> {
  const {candidate, bytes} = await describePayloadFile(path, keys, context.signal);
  const offer: Offer = {version: candidate.version, bytes, source: {kind: 'file', path}, wish};
  return {outcome: judge(candidate, offer, context), pollSeconds: null, onOffer: null};
}

export async function checkServer(
  http: HttpExchange,
  url: string,
  wish: Wish,
  context: CheckContext,
): Promise<Checked> {
  const {conf, host, facts, signal, wasUpdated, now} = context;
  const result = await checkForUpdate({http, url}, host, {
    by: wish.by,
    targetVersionPrefix: wish.version ?? conf.settings.pin ?? '',
    events: [eventOfCheck(wasUpdated ? '' : null, facts.version)],
    signal,
  });
  if (result.kind === 'failed') throw new CheckError(result.code, result.error, result.status);
  const {pollSeconds} = result;
  // After the answer: a channel that moved between the two then still lists what was offered.
  const watched = await context.channel.look(http);
  if (result.kind === 'nothing') {
    if (wish.version === null && result.hold === null) await noteWithheld(watched, wish, context);
    const detail =
      wish.version === null
        ? describeNothing(result.hold, url, now)
        : `${url} does not offer ${wish.version} to this host, which runs ${facts.version} and follows ${host.group}`;
    return {
      outcome: {kind: 'nothing', detail},
      pollSeconds,
      // What is held back from this host is offered all the same.
      onOffer: wish.version === null ? {version: result.hold?.version ?? null, hold: result.hold} : null,
    };
  }
  const found = result.offer;
  const offer: Offer = {
    version: found.version,
    bytes: found.bytes,
    source: {kind: 'server', offer: found},
    wish,
  };
  // What the signed manifest will say is not known yet.
  const candidate = {version: found.version, product: null, architecture: null, maxTimestamp: null};
  const outcome = judge(candidate, offer, context);
  const refusal = outcome.kind === 'offered' ? refusalOf(found, watched, facts.version) : null;
  return {
    outcome:
      outcome.kind !== 'offered'
        ? outcome
        : refusal === null
          ? holdBack(outcome, context)
          : {kind: 'refused', version: found.version, detail: refusal},
    pollSeconds,
    onOffer: wish.version === null ? {version: found.version, hold: null} : null,
  };
}

/**
 * For a host that waits for its reboot: nothing is taken, and no event tells that the host came up. Servers that count
 * updates may refuse to answer while one is under way; the sign of life has reached them all the same.
 */
export async function lookAtServer(
  http: HttpExchange,
  url: string,
  target: Target,
  {conf, host, now, signal, channel}: Pick<CheckContext, 'conf' | 'host' | 'now' | 'signal' | 'channel'>,
): Promise<Checked<LookOutcome>> {
  const result = await checkForUpdate({http, url}, host, {
    by: 'timer',
    targetVersionPrefix: conf.settings.pin ?? '',
    events: [],
    signal,
  });
  if (result.kind === 'failed') {
    const {code, error, status} = result;
    if (!(error instanceof OmahaError && error.code === 'refused')) throw new CheckError(code, error, status);
    const detail = `${url} does not say what it offers while ${target.version} waits for the reboot: ${error.message}`;
    return {outcome: {kind: 'nothing', detail}, pollSeconds: null, onOffer: null};
  }
  const {pollSeconds} = result;
  const watched = await channel.look(http);
  if (watched.kind === 'judged' && watched.judgement.standing === 'backwards') {
    // What such a server offers says nothing about what waits here.
    const detail = watched.judgement.findings.map((each) => each.detail).join('; ');
    return {outcome: {kind: 'nothing', detail}, pollSeconds, onOffer: null};
  }
  if (result.kind === 'nothing' && result.hold?.version === target.version) {
    const detail = describeNothing(result.hold, url, now);
    // It would not be given out now; to drop it for that would only cost another download.
    const kind = result.hold.reason === 'halted' && target.followsChannel ? 'withdrawn' : 'nothing';
    return {outcome: {kind, detail}, pollSeconds, onOffer: null};
  }
  const hold = result.kind === 'offered' ? null : result.hold;
  const offered = result.kind === 'offered' ? result.offer.version : (hold?.version ?? null);
  return {outcome: describeLook(offered, target, url), pollSeconds, onOffer: {version: offered, hold}};
}

export function describeNothing(hold: UpdateHold | null, url: string, now: number): string {
  return hold === null ? `${url} has nothing newer for this host` : `${url}: ${describeHold(hold, now)}`;
}

export function describeLook(
  offered: string | null,
  {version: waiting, followsChannel}: Target,
  url: string,
): LookOutcome {
  if (offered === waiting)
    return {kind: 'nothing', detail: `${url} still offers ${waiting}, which waits for the reboot`};
  if (followsChannel) {
    const instead = offered === null ? '' : `, but ${offered}`;
    return {kind: 'withdrawn', detail: `${url} does not offer ${waiting} any more${instead}`};
  }
  if (offered === null)
    return {kind: 'nothing', detail: `${url} offers nothing newer, and ${waiting} waits for the reboot`};
  return {kind: 'refused', version: offered, detail: `${waiting} waits for the reboot and comes first`};
}

export function policyOf({settings}: UpdateConf, wish: Wish): Policy {
  return {
    pin: settings.pin,
    highest: settings.maxVersion,
    allowDowngrade: settings.allowDowngrade,
    wanted: wish.version,
  };
}

/** What the signed state of the channel has against an offer; null for nothing. */
function refusalOf(offer: ServerOffer, watched: Watched, running: string): string | null {
  if (watched.kind === 'unchecked') return null;
  return judgeOffer(watched.judgement, offer, {running, follower: watched.follower});
}

/** A server that keeps a release back says why; one that is frozen does not. */
async function noteWithheld(
  watched: Watched,
  wish: Wish,
  {facts, conf, channel}: CheckContext,
): Promise<void> {
  if (watched.kind === 'unchecked') return;
  const found = withheld(watched.judgement, {running: facts.version, follower: watched.follower});
  if (found === null) return;
  const candidate = {version: found.version, product: null, architecture: null, maxTimestamp: null};
  if (decide(candidate, facts, policyOf(conf, wish)).kind === 'install') await channel.add(found.finding);
}

export function judge(candidate: Candidate, offer: Offer, {facts, conf}: CheckContext): CheckOutcome {
  const decision = decide(candidate, facts, policyOf(conf, offer.wish));
  if (decision.kind === 'install') return {kind: 'offered', offer};
  // What runs already is not refused; there is just nothing to do.
  if (decision.rule === 'running') return {kind: 'nothing', detail: `nothing newer: ${decision.reason}`};
  return {kind: 'refused', version: candidate.version, detail: decision.reason};
}

/** A payload that did not work out is left alone for a while, unless a person wants it now. */
export function holdBack(
  outcome: CheckOutcome & {kind: 'offered'},
  {payload, now}: CheckContext,
): CheckOutcome {
  const {source, wish, version} = outcome.offer;
  if (wish.by === 'operator' || source.kind !== 'server') return outcome;
  const until = waitsUntil(payloadStateFor(source.offer, payload), source.offer, now);
  if (until === null) return outcome;
  const detail = `${version} did not work out and is left alone until ${new Date(until).toISOString()}; caissonctl update tries now`;
  return {kind: 'refused', version, detail};
}
