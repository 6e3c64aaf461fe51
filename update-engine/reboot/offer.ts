/**
 * Whether the channel still offers what this host would restart into. Hosts that wait for the lock ask their server
 * every 45 minutes; one that is given the lock because somebody withdrew the release may not have heard of it yet.
 *
 * A server that cannot be asked holds nobody up: it is not there for that, and the lock is held meanwhile.
 */
import type {Gate} from './gate.ts';

export interface OfferGateParts {
  /** Whether what waits came from the channel, and there is a server to ask. */
  readonly concerns: () => boolean;
  /** When the server was last asked, whatever came of it. Milliseconds since 1970; null for never. */
  readonly lastAsked: () => number | null;
  /** Has it asked now; when it offers something else, the restart is not wanted any more. */
  readonly askServer: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const FRESH_MS = 5 * 60_000;
const AGAIN_MS = 5_000;

export function createOfferGate({concerns, lastAsked, askServer, now}: OfferGateParts): Gate {
  return {
    name: 'offer',
    ask({version}) {
      if (!concerns())
        return Promise.resolve({kind: 'open', detail: 'it did not come from the channel', againMs: null});
      const last = lastAsked();
      if (last !== null && now() - last < FRESH_MS) {
        const detail = `the server was asked, and ${version} was not withdrawn`;
        return Promise.resolve({kind: 'open', detail, againMs: null});
      }
      askServer();
      const detail = `the server is asked whether it still offers ${version}`;
      return Promise.resolve({kind: 'closed', detail, againMs: AGAIN_MS});
    },
  };
}
