/** The check: what is on offer, by the server or in a file, and whether this host wants it. */
import type {KeyObject} from 'node:crypto';
import {OmahaError} from '../../formats/omaha/errors.ts';
import type {UpdateHold} from '../../formats/omaha/response.ts';
import {eventOfCheck, type OmahaHost} from '../omaha/request-of.ts';
import {checkForUpdate} from '../omaha/client.ts';
import {type PayloadState, payloadStateFor, waitsUntil} from '../omaha/payload-policy.ts';
import type {UpdateConf} from '../../formats/update-conf.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {type Candidate, type HostFacts, type Policy, decide} from '../decide.ts';
import type {CheckOutcome, LookOutcome, Offer, Target, Wish} from '../machine/states.ts';
import {CheckError} from './failure.ts';
import {describePayloadFile} from './payload-file.ts';

export interface CheckContext {
  conf: UpdateConf;
  host: OmahaHost;
  facts: HostFacts;
  /** Whether this host ever installed an update. */
  wasUpdated: boolean;
  payload: PayloadState | null;
  /** Milliseconds since 1970. */
  now: number;
  signal: AbortSignal;
}

export interface Checked<Outcome = CheckOutcome> {
  outcome: Outcome;
  /** For the schedule. */
  pollSeconds: number | null;
  /**
   * What the channel has for this host, whether the host wants it or not. Null when that was not the question, or no
   * answer to it.
   */
  onOffer: {version: string | null} | null;
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
  const {conf, host, facts, signal, wasUpdated} = context;
  const result = await checkForUpdate({http, url}, host, {
    by: wish.by,
    targetVersionPrefix: wish.version ?? conf.settings.pin ?? '',
    events: [eventOfCheck(wasUpdated ? '' : null, facts.version)],
    signal,
  });
  if (result.kind === 'failed') throw new CheckError(result.code, result.error, result.status);
  const {pollSeconds} = result;
  if (result.kind === 'nothing') {
    const detail =
      wish.version === null
        ? describeHold(result.hold, url)
        : `${url} does not offer ${wish.version} to this host, which runs ${facts.version} and follows ${host.group}`;
    return {
      outcome: {kind: 'nothing', detail},
      pollSeconds,
      // What is held back from this host is offered all the same.
      onOffer: wish.version === null ? {version: result.hold?.version ?? null} : null,
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
  return {
    outcome: outcome.kind === 'offered' ? holdBack(outcome, context) : outcome,
    pollSeconds,
    onOffer: wish.version === null ? {version: found.version} : null,
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
  {conf, host, signal}: Pick<CheckContext, 'conf' | 'host' | 'signal'>,
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
  if (result.kind === 'nothing' && result.hold?.version === target.version) {
    const detail = describeHold(result.hold, url);
    // It would not be given out now; to drop it for that would only cost another download.
    const kind = result.hold.reason === 'halted' && target.followsChannel ? 'withdrawn' : 'nothing';
    return {outcome: {kind, detail}, pollSeconds, onOffer: null};
  }
  const offered = result.kind === 'offered' ? result.offer.version : (result.hold?.version ?? null);
  return {outcome: describeLook(offered, target, url), pollSeconds, onOffer: {version: offered}};
}

function describeHold(hold: UpdateHold | null, url: string): string {
  return hold === null
    ? `${url} has nothing newer for this host`
    : `${url} has ${hold.version} for this host, but not yet: ${hold.detail}`;
}

function describeLook(
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

function judge(candidate: Candidate, offer: Offer, {facts, conf}: CheckContext): CheckOutcome {
  const decision = decide(candidate, facts, policyOf(conf, offer.wish));
  if (decision.kind === 'install') return {kind: 'offered', offer};
  // What runs already is not refused; there is just nothing to do.
  if (decision.rule === 'running') return {kind: 'nothing', detail: `nothing newer: ${decision.reason}`};
  return {kind: 'refused', version: candidate.version, detail: decision.reason};
}

/** A payload that did not work out is left alone for a while, unless a person wants it now. */
function holdBack(outcome: CheckOutcome & {kind: 'offered'}, {payload, now}: CheckContext): CheckOutcome {
  const {source, wish, version} = outcome.offer;
  if (wish.by === 'operator' || source.kind !== 'server') return outcome;
  const until = waitsUntil(payloadStateFor(source.offer, payload), source.offer, now);
  if (until === null) return outcome;
  const detail = `${version} did not work out and is left alone until ${new Date(until).toISOString()}; caissonctl update tries now`;
  return {kind: 'refused', version, detail};
}
