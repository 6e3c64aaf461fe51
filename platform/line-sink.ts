/**
 * Lines for a stream that may be slow: what comes at once is written at once, and when nobody reads, lines are left out and
 * counted, instead of being kept until memory ends. A server's answers do not wait for its log.
 */
import type {Writable} from 'node:stream';

export interface LineSink {
  readonly line: (text: string) => void;
  /** Writes what is left. */
  readonly flush: () => void;
}

/** Some thousand lines: more than a second of a busy server. */
const MAX_PENDING_BYTES = 1 << 20;

export function createLineSink(stream: Pick<Writable, 'write' | 'writableLength'>): LineSink {
  let gathered: string[] = [];
  let leftOut = 0;
  let isDue = false;

  function flush(): void {
    isDue = false;
    if (leftOut > 0 && stream.writableLength < MAX_PENDING_BYTES) {
      gathered.push(`${leftOut} lines were left out, because nobody took them in time`);
      leftOut = 0;
    }
    if (gathered.length === 0) return;
    stream.write(`${gathered.join('\n')}\n`);
    gathered = [];
  }

  return {
    line(text) {
      if (stream.writableLength >= MAX_PENDING_BYTES) {
        leftOut += 1;
        return;
      }
      gathered.push(text);
      if (isDue) return;
      isDue = true;
      setImmediate(flush);
    },
    flush,
  };
}
