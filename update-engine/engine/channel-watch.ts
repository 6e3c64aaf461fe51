/**
 * Looks at the signed state of the channel beside every question to a server: fetches it, judges it against what was seen,
 * remembers it, and writes down what came of it for the status. What it means for an offer is channel/judge.ts.
 */
import {formatInstant} from '../../formats/channel-metadata/document.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {channelAddress} from '../channel/address.ts';
import {fetchChannel} from '../channel/fetch.ts';
import {type Fetched, type Finding, type Judgement, judgeChannel} from '../channel/judge.ts';
import {openChannelMemory} from '../channel/memory.ts';
import type {ChannelStatus} from '../api/channel-status.ts';
import type {EngineParts} from './parts.ts';
import {readKeys} from './trust.ts';

export type Watched =
  /** Nothing was looked at, for this reason. */
  | {readonly kind: 'unchecked'; readonly reason: string}
  | {
      readonly kind: 'judged';
      readonly judgement: Judgement;
      readonly fetched: Fetched;
      readonly url: string;
      /** What this host calls the channel. */
      readonly follower: string;
    };

export interface ChannelWatch {
  look(http: HttpExchange): Promise<Watched>;
  /** What the server's own answer adds to the last look. */
  add(finding: Finding): Promise<void>;
}

type Parts = Pick<EngineParts, 'paths' | 'conf' | 'state' | 'history' | 'clock' | 'journal' | 'identity'>;

/** For one check. */
export function createChannelWatch(parts: Parts, signal: AbortSignal): ChannelWatch {
  const {paths, conf, state, history, clock, journal, identity} = parts;
  const memory = openChannelMemory(state, (text) => journal.warn(text));

  async function judge(http: HttpExchange): Promise<Watched> {
    const keys = await readKeys(paths.channelKeys);
    if (keys.length === 0) return {kind: 'unchecked', reason: 'this release has no key of a channel'};
    const address = channelAddress(conf.current().settings);
    if (address.kind === 'none') return {kind: 'unchecked', reason: address.reason};
    const {url, follower} = address;
    const fetched = await fetchChannel(http, url, {keys, follower, signal});
    const madeAt = identity.sourceDate === null ? null : identity.sourceDate * 1000;
    const seen = await memory.recall(follower);
    const judgement = judgeChannel({fetched, seen, now: clock.now(), madeAt});
    // Before anything is decided by it.
    if (judgement.seen !== null) await memory.remember(follower, judgement.seen);
    return {kind: 'judged', judgement, fetched, url, follower};
  }

  async function record(next: ChannelStatus): Promise<void> {
    const before = history.read().channel;
    const isNew = before === null || before.findings.join() !== next.findings.join();
    if (isNew && next.findings.length > 0) journal.warn(next.detail);
    if (isNew && before !== null && before.findings.length > 0 && next.findings.length === 0)
      journal.info(next.detail);
    await history
      .change({channel: next})
      .catch((error: unknown) => journal.warn(`the channel was not recorded: ${String(error)}`));
  }

  return {
    async look(http) {
      const watched = await judge(http);
      await record(describe(watched, clock.now()));
      return watched;
    },
    async add({code, detail}) {
      const last = history.read().channel;
      if (last === null || last.standing === 'unchecked') return;
      const isFirst = last.findings.length === 0;
      await record({
        ...last,
        standing: last.standing === 'current' ? 'doubtful' : last.standing,
        findings: [...last.findings, code],
        detail: isFirst ? detail : `${last.detail}; ${detail}`,
      });
    },
  };
}

function describe(watched: Watched, at: number): ChannelStatus {
  const nothing = {channel: null, serial: null, issued: null, expires: null, version: null};
  if (watched.kind === 'unchecked')
    return {at, standing: 'unchecked', findings: [], detail: watched.reason, ...nothing};
  const {standing, findings, basis} = watched.judgement;
  const known =
    basis === null
      ? nothing
      : {
          ...{channel: basis.channel, serial: basis.serial, version: basis.version},
          ...{issued: basis.issued, expires: basis.expires},
        };
  const detail =
    basis !== null && findings.length === 0
      ? `channel ${basis.channel} is at ${basis.version ?? 'nothing'}, signed ${formatInstant(basis.issued)} as number ${basis.serial}`
      : findings.map((each) => each.detail).join('; ');
  return {at, standing, findings: findings.map(({code}) => code), detail: detail.slice(0, 8000), ...known};
}
