/** What a run came to: data for --json, and for the text that people read. */
import type {Finding} from '../../formats/cloud-config/types.ts';
import type {AccountChange} from './accounts.ts';
import type {FileChange} from './files.ts';
import type {Problem} from './host.ts';
import type {UnitChange} from './units.ts';

export type Change =
  | AccountChange
  | FileChange
  | UnitChange
  | {readonly kind: 'set-hostname'; readonly from: string; readonly to: string}
  | {readonly kind: 'run-script'; readonly bytes: number};

export interface Outcome {
  /** Null when no source had anything. */
  readonly source: string | null;
  readonly isDryRun: boolean;
  readonly findings: readonly Finding[];
  /** Made, or to be made, in this order. */
  readonly changes: readonly Change[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

/** An error in the config is one of the host's, too: something that was asked for is not there. */
export function hasFailed({findings, problems}: Outcome): boolean {
  return problems.length > 0 || findings.some(({kind}) => kind === 'error');
}
