/**
 * `update_engine_client` as the lineage had it: same flags, with one hyphen or two, and the same five lines on standard
 * output, because operators' scripts parse them. One thing differs on purpose: -update ends with 1 when the update
 * failed, where the lineage ended with 0.
 */
import {NO_VERSION} from '../../formats/omaha/request.ts';
import type {Status} from '../api/status.ts';

export const LINEAGE_FLAGS = [
  'check_for_update',
  'status',
  'reset_status',
  'update',
  'watch_for_updates',
] as const;
export type LineageFlag = (typeof LINEAGE_FLAGS)[number];

export const LINEAGE_HELP = `usage: update_engine_client [FLAG]

  -status             show the status
  -check_for_update   have the engine check for an update and install it; does not wait
  -update             the same, waiting for its end; exit code 1 when it failed
  -watch_for_updates  show the status with every change
  -reset_status       forget an update that was installed and waits for a reboot

Without a flag, -status. caissonctl tells and does more.
`;

/** The flag of a command line, or what is wrong with it. `-flag=true` is a form that the lineage's parser took. */
export function parseLineage(words: readonly string[]): {flag: LineageFlag | 'help'} | {problem: string} {
  const flags: (LineageFlag | 'help')[] = [];
  for (const word of words) {
    const name = /^--?([a-z_]+)(?:=true)?$/.exec(word)?.[1];
    if (name === undefined || (name !== 'help' && !isFlag(name))) return {problem: `unknown flag ${word}`};
    flags.push(name);
  }
  if (flags.length > 1) return {problem: `one flag at a time, not ${words.join(' ')}`};
  return {flag: flags[0] ?? 'status'};
}

function isFlag(name: string): name is LineageFlag {
  return (LINEAGE_FLAGS as readonly string[]).includes(name);
}

/** The five lines. Seconds since 1970, a fraction with six digits as C's %f gives it, bytes. */
export function formatLineageStatus({lastCheck, progress, state, offer}: Status): string {
  const share = progress === null || progress.totalBytes === 0 ? 0 : progress.doneBytes / progress.totalBytes;
  return [
    `LAST_CHECKED_TIME=${lastCheck === null ? 0 : Math.floor(lastCheck.at / 1000)}`,
    `PROGRESS=${share.toFixed(6)}`,
    `CURRENT_OP=UPDATE_STATUS_${state}`,
    `NEW_VERSION=${offer?.version ?? NO_VERSION}`,
    `NEW_SIZE=${offer?.bytes ?? 0}`,
    '',
  ].join('\n');
}
