/**
 * The check without an update server: the signed file of the channel is the offer. Nobody is told anything, and without a
 * valid file nothing is taken, because here nothing else speaks for the channel.
 */
import {ERROR_CODES} from '../../formats/omaha/codes.ts';
import type {UpdateHold} from '../../formats/omaha/response.ts';
import type {Offer as ServerOffer} from '../../formats/omaha/offer.ts';
import {ChannelMetadataError} from '../../formats/channel-metadata/errors.ts';
import {
  type ChannelDocument,
  type ListedRelease,
  targetFor,
} from '../../formats/channel-metadata/document.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {HttpError} from '../../platform/http-error.ts';
import {chooseRelease, turnOf} from '../channel/choose.ts';
import {folderRefusal} from '../channel/judge.ts';
import {offerOf} from '../channel/offer.ts';
import type {LookOutcome, Target, Wish} from '../machine/states.ts';
import {checkErrorCode} from '../omaha/error-codes.ts';
import {type CheckContext, type Checked, describeLook, describeNothing, holdBack, judge} from './check.ts';
import {CheckError} from './failure.ts';

interface Folder {
  readonly document: ChannelDocument;
  readonly url: string;
  readonly follower: string;
  /** Why nothing may be taken from it; null when it may. */
  readonly refusal: string | null;
}

/** Throws CheckError. */
export async function checkStatic(http: HttpExchange, wish: Wish, context: CheckContext): Promise<Checked> {
  const {conf, facts, host, now} = context;
  const folder = await readFolder(http, context);
  const {document, url, follower, refusal} = folder;
  const prefix = wish.version ?? conf.settings.pin ?? '';
  const chosen = chooseRelease(document, {
    running: facts.version,
    follower,
    prefix,
  });
  const onOffer = (hold: UpdateHold | null = null): Checked['onOffer'] =>
    wish.version === null ? {version: chosen?.version ?? null, hold} : null;
  const rest = {pollSeconds: null, onOffer: onOffer()};
  if (chosen === null) {
    const detail =
      wish.version === null
        ? `${url} has nothing newer for this host`
        : `${url} does not offer ${wish.version} to this host, which runs ${facts.version}`;
    return {...rest, outcome: {kind: 'nothing', detail: refusal ?? detail}};
  }
  const {version} = chosen;
  if (refusal !== null) return {...rest, outcome: {kind: 'refused', version, detail: refusal}};
  const candidate = {version, product: null, architecture: null, maxTimestamp: null};
  const source = {kind: 'server', offer: offered(chosen, url)} as const;
  const outcome = judge(candidate, {version, bytes: chosen.bytes, source, wish}, context);
  if (outcome.kind !== 'offered') return {...rest, outcome};
  // Who asks by hand need not wait; nor a host whose pin keeps it behind the others.
  const turn =
    wish.by === 'timer' && version === targetFor(document, follower)
      ? turnOf(document, version, host.machineId)
      : null;
  if (turn === null || turn <= now) return {...rest, outcome: holdBack(outcome, context)};
  const hold: UpdateHold = {
    ...{reason: 'pace', version, position: null, notBefore: Math.ceil(turn / 1000)},
    detail: `the hosts of channel ${document.channel} take turns; caissonctl update takes it now`,
  };
  return {
    pollSeconds: null,
    onOffer: onOffer(hold),
    outcome: {kind: 'nothing', detail: describeNothing(hold, url, now)},
  };
}

/** For a host that waits for its reboot. Throws CheckError. */
export async function lookAtStatic(
  http: HttpExchange,
  target: Target,
  context: Pick<CheckContext, 'conf' | 'host' | 'channel'>,
): Promise<Checked<LookOutcome>> {
  const {document, url, follower, refusal} = await readFolder(http, context);
  const {host, conf} = context;
  const chooser = {
    running: host.version,
    follower,
    prefix: conf.settings.pin ?? '',
  };
  const version = chooseRelease(document, chooser)?.version ?? null;
  const outcome: LookOutcome =
    refusal === null ? describeLook(version, target, url) : {kind: 'nothing', detail: refusal};
  return {outcome, pollSeconds: null, onOffer: {version, hold: null}};
}

async function readFolder(http: HttpExchange, {channel}: Pick<CheckContext, 'channel'>): Promise<Folder> {
  const watched = await channel.look(http);
  if (watched.kind === 'unchecked') {
    const message = `a folder of files cannot be followed: ${watched.reason}`;
    const hint = 'build images with --channel-key, and see: caisson keys --help';
    throw new CheckError(ERROR_CODES.ERROR, new ChannelMetadataError('untrusted', message, {hint}), null);
  }
  const {fetched, judgement, url, follower} = watched;
  if (fetched.kind !== 'document') {
    const {error} = fetched;
    throw new CheckError(
      checkErrorCode(error),
      error,
      error instanceof HttpError ? (error.status ?? null) : null,
    );
  }
  return {document: fetched.document, url, follower, refusal: folderRefusal(judgement)};
}

/** Throws CheckError. */
function offered(release: ListedRelease, channelUrl: string): ServerOffer {
  try {
    return offerOf(release, channelUrl);
  } catch (error) {
    if (!(error instanceof ChannelMetadataError)) throw error;
    throw new CheckError(ERROR_CODES.ERROR, error, null);
  }
}
