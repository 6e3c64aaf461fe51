/**
 * Tells open pages that something changed, as server-sent events: only which groups, never what; the page then asks for
 * itself as anybody would. So there is one way to see anything, with one check of who may.
 *
 * Bounded: so many streams, a message a second for each, and a page that does not read is told once, later, of all that
 * it missed.
 */
export interface Feed {
  /** Some groups changed; no names: all. */
  announce(groups: readonly string[]): void;
  /** Null when there are too many already. */
  open(): ((signal: AbortSignal) => AsyncGenerator<Uint8Array>) | null;
  /** Ends all streams. */
  close(): void;
}

export interface FeedOptions {
  /** Resolves after so long, or at once when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
  readonly mostStreams?: number;
}

const MAX_STREAMS = 100;
/** What changes all the time is told once a second. */
const PAUSE_MS = 1000;
/** Shorter than proxies and the server wait on a silent connection. */
const HEARTBEAT_MS = 20_000;
/** Then the browser has to come back, and show that it still may. */
const LIFETIME_MS = 15 * 60_000;
/** Browsers come back after that. */
const RETRY_MS = 3000;

interface Stream {
  readonly changed: Set<string>;
  isAllChanged: boolean;
  wake: AbortController;
}

export function createFeed({sleep, now, mostStreams = MAX_STREAMS}: FeedOptions): Feed {
  const streams = new Set<Stream>();
  const closed = new AbortController();

  async function* follow(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stream: Stream = {changed: new Set(), isAllChanged: false, wake: new AbortController()};
    const ended = AbortSignal.any([signal, closed.signal]);
    const until = now() + LIFETIME_MS;
    const isOver = (): boolean => ended.aborted || now() >= until;
    streams.add(stream);
    try {
      yield Buffer.from(`retry: ${RETRY_MS}\n\n`);
      while (!isOver()) {
        if (!hasNews(stream)) {
          stream.wake = new AbortController();
          await sleep(HEARTBEAT_MS, AbortSignal.any([ended, stream.wake.signal]));
        }
        if (isOver()) return;
        yield Buffer.from(hasNews(stream) ? messageOf(stream) : ': still here\n\n');
        await sleep(PAUSE_MS, ended);
      }
    } finally {
      streams.delete(stream);
    }
  }

  return {
    announce(groups) {
      for (const stream of streams) {
        if (groups.length === 0) stream.isAllChanged = true;
        for (const group of groups) stream.changed.add(group);
        stream.wake.abort();
      }
    },
    open: () => (streams.size >= mostStreams || closed.signal.aborted ? null : follow),
    close: () => closed.abort(),
  };
}

function hasNews({changed, isAllChanged}: Stream): boolean {
  return isAllChanged || changed.size > 0;
}

function messageOf(stream: Stream): string {
  const data = JSON.stringify({groups: stream.isAllChanged ? null : [...stream.changed]});
  stream.changed.clear();
  stream.isAllChanged = false;
  return `event: change\ndata: ${data}\n\n`;
}
