/** The world as a first boot sees it: what main.ts opens and tests stand in for. */
import type {Argv, ExecOptions, ExecResult} from '../../platform/exec.ts';

export interface FirstBootHost {
  /** Put before every path; empty on a host. */
  readonly root: string;
  exec(argv: Argv, options?: ExecOptions): Promise<ExecResult>;
  /** To the journal. */
  note(text: string): void;
  /** To whoever stands before the machine, and to the journal. */
  show(text: string): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** Ends early, without an error, when the signal says so. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export function at({root}: Pick<FirstBootHost, 'root'>, path: string): string {
  return `${root}${path}`;
}
