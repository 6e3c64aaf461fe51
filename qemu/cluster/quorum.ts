/**
 * What a history of health samples proves about a cluster. Pure, and suspicious: a member counts as healthy only
 * between two answers that both say so. It is out from its last good answer on, not from the first bad one, and until
 * the next good one has arrived, so that an outage between two samples is never overlooked.
 */
import {quorumOf} from './plan.ts';

export interface HealthSample {
  member: string;
  /** Milliseconds on one clock for all samples. */
  askedMs: number;
  answeredMs: number;
  isHealthy: boolean;
  /** Why it is not; null when it is. */
  reason: string | null;
}

export interface Outage {
  member: string;
  fromMs: number;
  /** Null when it had not come back when the history ended. */
  untilMs: number | null;
  /** Of the first bad answer. */
  reason: string;
}

export interface QuorumReport {
  samples: number;
  /** How many members were healthy when the fewest were. */
  fewestHealthy: number;
  /** In the order in which they began. */
  outages: readonly Outage[];
  /** When there were fewer than a majority. */
  losses: readonly {fromMs: number; untilMs: number | null; healthy: number}[];
  /** The longest time between two samples of one member: what is claimed for it rests on the two. */
  longestSilenceMs: number;
}

/** `samples` of each member in the order in which they were asked; what was before its first is not judged. */
export function judgeQuorum(samples: readonly HealthSample[], members: readonly string[]): QuorumReport {
  const histories = members.map((member) => samples.filter((sample) => sample.member === member));
  const outages = histories.flatMap(outagesOf).sort((a, b) => a.fromMs - b.fromMs);
  // A member that was never asked is not known to be healthy at all.
  const unknown = histories.filter(({length}) => length === 0).length;
  const {fewestHealthy, losses} = sweep(outages, members.length - unknown, quorumOf(members.length));
  return {
    samples: samples.length,
    fewestHealthy,
    outages,
    losses,
    longestSilenceMs: Math.max(0, ...histories.map(longestSilence)),
  };
}

function outagesOf(history: readonly HealthSample[]): Outage[] {
  const outages: Outage[] = [];
  let open: Outage | undefined;
  for (const [index, {member, askedMs, answeredMs, isHealthy, reason}] of history.entries()) {
    if (isHealthy && open !== undefined) {
      open.untilMs = answeredMs;
      open = undefined;
    } else if (!isHealthy && open === undefined) {
      const fromMs = history[index - 1]?.answeredMs ?? askedMs;
      open = {member, fromMs, untilMs: null, reason: reason ?? 'no reason given'};
      outages.push(open);
    }
  }
  return outages;
}

function sweep(
  outages: readonly Outage[],
  members: number,
  quorum: number,
): Pick<QuorumReport, 'fewestHealthy' | 'losses'> {
  const changes = outages.flatMap(({fromMs, untilMs}) => [
    {atMs: fromMs, by: -1},
    ...(untilMs === null ? [] : [{atMs: untilMs, by: 1}]),
  ]);
  // At one moment, those that go out come first: two outages that touch count as overlapping.
  changes.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  const losses: {fromMs: number; untilMs: number | null; healthy: number}[] = [];
  let healthy = members;
  let fewestHealthy = members;
  for (const {atMs, by} of changes) {
    const before = healthy;
    healthy += by;
    fewestHealthy = Math.min(fewestHealthy, healthy);
    const last = losses.at(-1);
    if (before >= quorum && healthy < quorum) losses.push({fromMs: atMs, untilMs: null, healthy});
    else if (before < quorum && last !== undefined) {
      last.healthy = Math.min(last.healthy, healthy);
      if (healthy >= quorum) last.untilMs = atMs;
    }
  }
  return {fewestHealthy, losses};
}

function longestSilence(history: readonly HealthSample[]): number {
  return history.reduce((longest, sample, index) => {
    const before = history[index - 1];
    return before === undefined ? longest : Math.max(longest, sample.answeredMs - before.answeredMs);
  }, 0);
}
