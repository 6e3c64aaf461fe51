/** Whether one of the operator's windows is open now. */
import {CodedError} from '../../formats/errors.ts';
import {formatInstant, openingAt} from '../../formats/reboot-window/opening.ts';
import type {RebootWindow} from '../../formats/reboot-window/window.ts';
import type {Reading} from '../../formats/update-conf-values.ts';
import type {Gate, GateAnswer} from './gate.ts';

export interface WindowGateParts {
  /** Asked anew each time. */
  readonly windows: () => Reading<readonly RebootWindow[]>;
  /** For windows that name no zone. */
  readonly hostZone: () => Promise<string>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Settings change, and clocks are set: a window a month away may be one of tonight. */
const LONGEST_PAUSE_MS = 5 * 60_000;

export function createWindowGate({windows, hostZone, now}: WindowGateParts): Gate {
  async function evaluate(): Promise<GateAnswer> {
    const setting = windows();
    if (setting.kind === 'bad') return {kind: 'unknown', detail: setting.problem, againMs: LONGEST_PAUSE_MS};
    const {value} = setting;
    if (value.length === 0) return {kind: 'open', detail: 'no window is set', againMs: null};
    const zone = value.some((window) => window.zone === null) ? await hostZone() : 'UTC';
    const instant = now();
    const opening = openingAt(value, zone, instant);
    const shown = opening.window?.zone ?? zone;
    if (opening.kind === 'open') {
      const until = opening.until === null ? '' : ` until ${formatInstant(opening.until, shown, instant)}`;
      return {kind: 'open', detail: `the window is open${until}`, againMs: null};
    }
    return {
      kind: 'closed',
      detail: `the window opens ${formatInstant(opening.opensAt, shown, instant)}`,
      againMs: Math.min(opening.opensAt - instant, LONGEST_PAUSE_MS),
    };
  }

  return {
    name: 'window',
    async ask() {
      try {
        return await evaluate();
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        const hint = error.hint === undefined ? '' : ` (${error.hint})`;
        return {kind: 'unknown', detail: `${error.message}${hint}`, againMs: LONGEST_PAUSE_MS};
      }
    },
  };
}
