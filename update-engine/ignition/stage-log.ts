/**
 * What Ignition says in one stage, line by line. Ignition is patient beyond reason: it follows redirections and configs
 * that merge each other without end, asks a server with a bad certificate for ever, and says "resource not found" without
 * saying which. Who watches its log knows better, so that a person gets a reason, and soon.
 */

export interface HeardLine {
  /** The line without hashes of passwords; null for the whole config, which Ignition repeats when a stage fails. */
  readonly publicText: string | null;
  /** A request that failed, and that Ignition makes again. */
  readonly trouble: string | null;
  /** Waiting will not help, although Ignition would wait. */
  readonly verdict: string | null;
}

export interface StageLog {
  hear(line: string): HeardLine;
  /** The request under way; `number` grows with each. */
  readonly request: {readonly url: string; readonly number: number} | null;
  /** What is in the config and means nothing to Ignition, with its place. */
  readonly unknownKeys: readonly string[];
  /** Why the stage failed, in a few lines. */
  reasons(): string[];
}

const MAX_KEPT_LINES = 200;
const MAX_SHOWN_LINES = 8;
const MAX_LINE_LENGTH = 400;
/** More configs in one than anybody writes. */
const MAX_REFERENCED_CONFIGS = 64;
const LEVEL = /^[A-Z]+ *: +/;
/** In Go's words: what a certificate is refused for. */
const UNTRUSTED = /\b(x509: .*|tls: failed to verify .*)$/;

export function createStageLog(): StageLog {
  const kept: string[] = [];
  const unknownKeys = new Set<string>();
  let isDump = false;
  let requests = 0;
  let url: string | null = null;
  let isOpen = false;
  let referenced = 0;
  let result = '';

  function verdictOf(text: string): string | null {
    const untrusted = UNTRUSTED.exec(text)?.[1];
    if (untrusted !== undefined)
      return `no trustworthy connection to ${url ?? 'the server'}: ${untrusted}; look at the clock of this machine, and who signed the certificate`;
    if (text.startsWith('fetched referenced config at ')) referenced += 1;
    if (referenced > MAX_REFERENCED_CONFIGS)
      return `more than ${MAX_REFERENCED_CONFIGS} configs: one of them merges itself, the last was ${url ?? ''}`;
    return null;
  }

  return {
    hear(line) {
      isDump = LEVEL.test(line) ? false : isDump || line.startsWith('Full config:');
      if (isDump) return {publicText: null, trouble: null, verdict: null};
      const publicText = line.replace(/("--password" )"[^"]*"/, '$1"..."');
      kept.push(publicText);
      if (kept.length > MAX_KEPT_LINES) kept.shift();
      const text = withoutLevel(line);
      const unknown = /^warning at (\S+), line (\d+) col (\d+): Unused key /.exec(text);
      if (unknown !== null)
        unknownKeys.add(
          `unknown key ${unknown[1]?.replace(/^\$\./, '')} at line ${unknown[2]}, column ${unknown[3]}`,
        );
      // In the stage of files the name of the operation stands before it.
      const asked = /(?:^|: )(?:GET|PUT) (\S+): attempt #\d+$/.exec(text);
      if (asked !== null) {
        url = asked[1] ?? '';
        requests += 1;
        isOpen = true;
      }
      const answer = /(?:^|: )(?:GET|PUT) (?:error: (.*)|result: (.*))$/.exec(text);
      if (answer !== null) {
        isOpen = false;
        result = answer[1] ?? answer[2] ?? '';
      }
      return {
        publicText,
        trouble: answer === null || answer[2] === 'OK' ? null : text,
        verdict: verdictOf(text),
      };
    },
    get request() {
      return url === null || !isOpen ? null : {url, number: requests};
    },
    get unknownKeys() {
      return [...unknownKeys];
    },
    reasons() {
      const reasons = reasonsIn(kept);
      const isAboutRequest = reasons.some((each) =>
        /not found|not valid|hash verification|fetch|acquire/.test(each),
      );
      const last = url !== null && isAboutRequest && !reasons.some((each) => each.includes(url ?? ''));
      return last ? [...reasons, `the last request: ${url} (${result})`] : reasons;
    },
  };
}

/** What Ignition marks as critical or as an error, without what it repeats; else its last lines. */
export function reasonsIn(lines: readonly string[]): string[] {
  const marked = lines.filter((line) => /^(CRITICAL|ERROR|EMERGENCY|ALERT)\b/.test(line)).map(withoutLevel);
  const chosen = marked.length > 0 ? marked : lines.map(withoutLevel);
  const distinct = [...new Set(chosen)].filter((line) => line.trim() !== '');
  const fresh = distinct.filter((line) => !distinct.some((other) => other !== line && repeats(line, other)));
  return fresh
    .slice(-MAX_SHOWN_LINES)
    .map((line) => (line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH - 3)}...` : line));
}

/** `Ignition failed: X` after `failed to acquire config: X` says nothing more. */
function repeats(line: string, other: string): boolean {
  const what = /^Ignition failed: (.*)$/.exec(line)?.[1];
  return what !== undefined && what !== '' && other.endsWith(what);
}

/** `CRITICAL : files: createUsers: ...` is a level, padded to one width, and a text. */
export function withoutLevel(line: string): string {
  return line.replace(LEVEL, '');
}
