/** The log of a command: standard error, redrawn when that is a terminal. */
import {type Log, createLog} from '../platform/log.ts';

export function terminalLog(verbose: boolean): Log {
  return createLog({
    isTerminal: process.stderr.isTTY && process.env['TERM'] !== 'dumb',
    verbose,
    write: (text) => process.stderr.write(text),
    now: () => performance.now(),
    columns: () => process.stderr.columns,
  });
}
