/** The demo's last page: who went when, whether the majority was ever lost, and whether a write was. */
import {formatSeconds} from '../../formats/units.ts';
import type {QuorumReport} from '../../qemu/cluster/quorum.ts';
import {type WriteReport, isFaultless} from '../../qemu/cluster/writes.ts';
import type {MemberTimeline} from './timeline.ts';

export interface DemoReport {
  /** When the clock of all times below began. */
  beganMs: number;
  members: readonly MemberTimeline[];
  quorum: QuorumReport;
  writes: WriteReport;
  /** The most that held the lock at one look. */
  mostHolders: number;
}

const HEAD = ['MEMBER', 'INSTALLED', 'LOCK', 'RESTARTED', 'GOOD', 'FREED', 'ETCD AWAY'];

export function formatDemoReport({beganMs, members, quorum, writes, mostHolders}: DemoReport): string {
  const at = (ms: number | null): string => (ms === null ? '-' : `${((ms - beganMs) / 1000).toFixed(0)} s`);
  const inOrder = [...members].sort((a, b) => (a.restartedMs ?? Infinity) - (b.restartedMs ?? Infinity));
  const rows = [
    HEAD,
    ...inOrder.map(({name, installedMs, lockedMs, restartedMs, goodMs, releasedMs}) => [
      name,
      ...[installedMs, lockedMs, restartedMs, goodMs, releasedMs].map(at),
      awayOf(name, quorum),
    ]),
  ];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  return [
    ...table,
    '',
    `Healthy members, at the fewest: ${quorum.fewestHealthy} of ${members.length} (${quorum.samples} samples, at most ${formatSeconds(quorum.longestSilenceMs / 1000)} apart)`,
    `Holders of the lock, at the most: ${mostHolders}`,
    `Writes: ${writes.acknowledged} acknowledged, ${writes.lost.length} of them lost; ${writes.unknown} with unknown outcome (${writes.unknownFound} are there), ${writes.refused} refused; longest pause ${formatSeconds(writes.longestPauseMs / 1000)}`,
    ...faults({quorum, writes}).map((fault) => `FAULT: ${fault}`),
    '',
  ].join('\n');
}

/** What must not have happened; empty when all is well. */
export function faults({quorum, writes}: Pick<DemoReport, 'quorum' | 'writes'>): string[] {
  const found = quorum.losses.map(({fromMs, untilMs, healthy}) => {
    const length = untilMs === null ? 'until the end' : `for ${formatSeconds((untilMs - fromMs) / 1000)}`;
    return `only ${healthy} members were healthy ${length}`;
  });
  if (isFaultless(writes)) return found;
  const {lost, altered, invented} = writes;
  return [
    ...found,
    `of what was acknowledged ${lost.length} writes are lost; ${altered.length} keys are altered, ${invented.length} nobody wrote`,
  ];
}

function awayOf(name: string, {outages}: QuorumReport): string {
  const own = outages.filter(({member}) => member === name);
  if (own.length === 0) return '-';
  if (own.some(({untilMs}) => untilMs === null)) return 'still';
  return formatSeconds(
    own.reduce((sum, {fromMs, untilMs}) => sum + ((untilMs ?? fromMs) - fromMs), 0) / 1000,
  );
}
