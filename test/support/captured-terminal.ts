/** A terminal of caissonctl that keeps what is printed. */
import type {Terminal} from '../../update-engine/ctl/run.ts';

export interface CapturedTerminal {
  readonly terminal: Terminal;
  /** What came on standard output and on standard error so far. */
  readonly printed: () => {out: string; notes: string};
}

export function captureTerminal(): CapturedTerminal {
  let [out, notes] = ['', ''];
  return {
    terminal: {
      out: (text) => void (out += text),
      note: (text) => void (notes += text),
      now: () => Date.now(),
      resolve: (path) => path,
      signal: new AbortController().signal,
    },
    printed: () => ({out, notes}),
  };
}
