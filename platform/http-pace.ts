/**
 * Deadlines for a body that streams: silence, and bytes that come too slowly to be worth the wait. Only the time spent
 * waiting for the network counts; a slow disk or a rate limit of our own must not make a good server look bad, which is
 * why one deadline for the whole transfer was rejected.
 */
import {HttpError} from './http-error.ts';

export interface Pace {
  /** Without a byte for this long a transfer counts as dead. */
  readonly stallTimeoutMs: number;
  /** On the whole, after the first stall time. */
  readonly minBytesPerSecond: number;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
}

/** Hands on the chunks; throws HttpError 'too-slow'. The body is closed however this ends. */
export async function* keepPace(
  url: string,
  body: AsyncIterable<Uint8Array>,
  {stallTimeoutMs, minBytesPerSecond, now}: Pace,
): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      const allowedMs = stallTimeoutMs + (1000 * bytes) / minBytesPerSecond - waitedMs;
      const startedAt = now();
      const result = await withDeadline(iterator.next(), Math.min(stallTimeoutMs, allowedMs), url);
      waitedMs += now() - startedAt;
      if (result.done === true) return;
      bytes += result.value.length;
      yield result.value;
    }
  } finally {
    // Not awaited: a body that is stuck would never say that it is closed.
    void iterator.return?.().catch(() => undefined);
  }
}

async function withDeadline<T>(pending: Promise<T>, ms: number, url: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new HttpError('too-slow', `${url} comes too slowly to be worth the wait`);
    timer = setTimeout(() => reject(error), Math.max(0, ms));
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
    // After a lost race nobody else listens to it.
    pending.catch(() => undefined);
  }
}
