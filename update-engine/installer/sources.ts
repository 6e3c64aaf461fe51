/** Where the release comes from: a payload in a file, or what an update server has in a channel. */
import type {KeyObject} from 'node:crypto';
import type {Offer} from '../../formats/omaha/offer.ts';
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {ByteReader} from '../apply/byte-reader.ts';
import {readHead} from '../apply/head.ts';
import type {Candidate} from '../decide.ts';
import {candidateOf, readPayloadFile} from '../engine/payload-file.ts';
import {checkForUpdate} from '../omaha/client.ts';
import {currentUrl, payloadStateFor} from '../omaha/payload-policy.ts';
import {openPayload} from '../omaha/payload-source.ts';
import {InstallerError} from './errors.ts';

export interface PayloadOrigin {
  /** A path or an address, for people. */
  readonly place: string;
  /** The payload's bytes from any place on. */
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** What was read is not the payload. Gives the place that is next, or null when there is none. */
  refuse(): string | null;
  /** What the server announced; null when only the signatures say what it should be. */
  readonly expected: {readonly bytes: number; readonly sha256: Uint8Array} | null;
  /** The version that was asked for, or announced; null takes what is in the file. */
  readonly version: string | null;
}

/** What its signed manifest says. */
export interface KnownPayload {
  readonly manifest: Manifest;
  readonly candidate: Candidate;
  /** Of the whole file. */
  readonly bytes: number;
}

export function originOfFile(path: string): PayloadOrigin {
  return {
    place: path,
    open: (offset, signal) => readPayloadFile(path, offset, signal),
    refuse: () => null,
    expected: null,
    version: null,
  };
}

export interface DownloadMeans {
  readonly http: HttpExchange;
  readonly onRetry: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface ServerQuestion extends DownloadMeans {
  /** Of the Omaha endpoint. */
  readonly url: string;
  readonly channel: string;
  /** Null for what the channel points to. */
  readonly version: string | null;
  /** 32 hex digits: a machine that is being installed has no name yet. */
  readonly machineId: string;
  readonly bootId: string;
  readonly oem: string;
  readonly signal: AbortSignal;
}

/** So old that every release is newer. */
export const NOTHING_YET = '0.0.0';

/** Asks as a host that runs nothing yet. Throws InstallerError 'no-release', HttpError, OmahaError. */
export async function originOfServer(question: ServerQuestion): Promise<PayloadOrigin> {
  const {http, url, channel, version, machineId, bootId, oem, signal} = question;
  const host = {
    ...{version: NOTHING_YET, alephVersion: '', group: channel, machineId, machineAlias: '', bootId},
    oem: {id: oem, version: ''},
  };
  const result = await checkForUpdate({http, url}, host, {
    by: 'operator',
    targetVersionPrefix: version ?? '',
    events: [],
    signal,
  });
  if (result.kind === 'failed') throw result.error;
  const offered = result.kind === 'offered' ? result.offer : null;
  if (offered === null || (version !== null && offered.version !== version)) {
    const what = version === null ? 'nothing' : `no ${version}`;
    const instead = offered === null ? '' : `, but ${offered.version}`;
    throw new InstallerError('no-release', `${url} has ${what} in channel ${channel}${instead}`, {
      hint: 'a server gives what its channel points to or once pointed to: caisson channels',
    });
  }
  if (offered.isDelta)
    throw new InstallerError('no-release', `${url} offers a delta, which needs an older release to build on`);
  return originOfOffer(offered, question);
}

/** What a server or a signed channel announced. */
export function originOfOffer(
  offer: Offer,
  {http, onRetry, now, random, sleep}: DownloadMeans,
): PayloadOrigin {
  const source = openPayload({
    ...{http, offer, onRetry, now, random, sleep},
    credentials: null,
    limit: null,
    state: payloadStateFor(offer, null),
  });
  return {
    get place() {
      return currentUrl(source.known(), offer);
    },
    open: (offset, signal) => source.open(offset, signal),
    refuse: () => source.refuse(),
    expected: {bytes: offer.bytes, sha256: Buffer.from(offer.sha256, 'hex')},
    version: offer.version,
  };
}

/**
 * Reads the manifest, which is not looked at before a trusted key was found to have signed it. Throws PayloadError, and
 * InstallerError 'no-release' when it is not the release that was asked for, or needs another one.
 */
export async function readPayloadHead(
  origin: PayloadOrigin,
  keys: readonly KeyObject[],
  signal: AbortSignal,
): Promise<KnownPayload> {
  const stopped = new AbortController();
  const reader = new ByteReader(origin.open(0, AbortSignal.any([signal, stopped.signal])), {
    signal,
    what: origin.place,
    codes: {early: 'truncated', late: 'bad-data'},
  });
  try {
    const {manifest, layout} = await readHead(reader, keys);
    const candidate = candidateOf(manifest);
    if (manifest.partitions.some(({oldInfo}) => oldInfo !== null))
      throw new InstallerError('no-release', `${origin.place} is a delta; a full payload is needed`);
    if (origin.version !== null && candidate.version !== origin.version)
      throw new InstallerError(
        'no-release',
        `${origin.place} holds ${candidate.version}, not ${origin.version} as was announced`,
      );
    return {manifest, candidate, bytes: layout.totalBytes};
  } finally {
    await reader.close();
    stopped.abort();
  }
}

/** Size and hash of a partition, by the manifest. Throws PayloadError 'bad-manifest'. */
export function partitionInfo(
  {partitions}: Manifest,
  name: 'usr' | 'kernel',
): {bytes: number; sha256: Uint8Array} {
  const found = partitions.find((each) => each.name === name);
  if (found === undefined || partitions.length !== 2) {
    const names = partitions.map((each) => each.name).join(', ');
    throw new PayloadError('bad-manifest', `it has the partitions ${names}, expected usr and kernel`);
  }
  return found.newInfo;
}
