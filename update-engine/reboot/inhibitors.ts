/**
 * Whether a program has asked that the machine stay up (systemd-inhibit). logind itself would refuse to restart for
 * anybody but root, and the engine is root: so it looks, and keeps to it.
 */
import {type Inhibitor, LogindError, blocksShutdown} from '../../formats/logind.ts';
import type {Logind} from '../../platform/logind.ts';
import type {Gate} from './gate.ts';
import {printable} from './words.ts';

export interface InhibitorsGateParts {
  readonly logind: Pick<Logind, 'inhibitors'>;
}

const AGAIN_MS = 60_000;
const MAX_NAMED = 3;

export function createInhibitorsGate({logind}: InhibitorsGateParts): Gate {
  return {
    name: 'inhibitors',
    async ask(_plan, signal) {
      try {
        const blocking = (await logind.inhibitors(signal)).filter(blocksShutdown);
        return blocking.length === 0
          ? {kind: 'open', detail: 'nothing inhibits a shutdown', againMs: null}
          : {kind: 'closed', detail: describe(blocking), againMs: AGAIN_MS};
      } catch (error) {
        if (!(error instanceof LogindError)) throw error;
        return {kind: 'unknown', detail: error.message, againMs: AGAIN_MS};
      }
    },
  };
}

function describe(blocking: readonly Inhibitor[]): string {
  const named = blocking
    .slice(0, MAX_NAMED)
    .map(({who, why, pid}) => `${printable(who)} (process ${pid}): ${printable(why)}`);
  const more = blocking.length > MAX_NAMED ? `, and ${blocking.length - MAX_NAMED} more` : '';
  return `a shutdown is inhibited by ${named.join('; ')}${more}`;
}
