/**
 * Path patterns of a definition: `*` and `?` within one name, `**` across directories, `{a,b}` alternatives.
 * Rejected: a glob library, because those read directories; here a pattern meets paths that are already listed.
 */
import {CodedError} from './errors.ts';

export class GlobError extends CodedError<'bad-pattern'> {}

/** More alternatives than this in one pattern are a mistake or an attack. */
const MAX_ALTERNATIVES = 1000;

/** Writes out the alternatives of a pattern: `a/{b,c}` is `a/b` and `a/c`; braces may nest. */
export function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf('{');
  if (open < 0) {
    if (pattern.includes('}')) throw new GlobError('bad-pattern', `pattern "${pattern}" has a } without a {`);
    return [pattern];
  }
  let depth = 0;
  const commas: number[] = [];
  for (let at = open; at < pattern.length; at += 1) {
    const character = pattern[at];
    if (character === '{') depth += 1;
    else if (character === ',' && depth === 1) commas.push(at);
    else if (character === '}') {
      depth -= 1;
      if (depth > 0) continue;
      const bounds = [open, ...commas, at];
      const results = bounds.slice(1).flatMap((end, index) => {
        const part = pattern.slice((bounds[index] ?? open) + 1, end);
        return expandBraces(pattern.slice(0, open) + part + pattern.slice(at + 1));
      });
      if (results.length > MAX_ALTERNATIVES)
        throw new GlobError('bad-pattern', `pattern "${pattern}" has over ${MAX_ALTERNATIVES} alternatives`);
      return results;
    }
  }
  throw new GlobError('bad-pattern', `pattern "${pattern}" has a { without a }`);
}

/** One brace-free pattern as a regular expression over a whole path. */
export function globToRegExp(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? '';
    if (pattern.startsWith('**', at)) {
      source += '.*';
      at += 1;
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else source += character.replace(/[\\^$+.()|[\]{}]/g, '\\$&');
  }
  return new RegExp(`^${source}$`, 's');
}

export interface PatternSet {
  /** Whether the path, or a directory above it, matches one of the patterns. */
  covers(path: string): boolean;
  /** The brace-free patterns that matched no path so far. */
  unused(): string[];
}

/** Compiles patterns so that a directory's match covers all below it. */
export function compilePatterns(patterns: readonly string[]): PatternSet {
  const compiled = patterns
    .flatMap(expandBraces)
    .map((pattern) => ({pattern, matcher: globToRegExp(pattern), used: false}));
  const verdicts = new Map<string, boolean>();
  function covers(path: string): boolean {
    const known = verdicts.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    let verdict = slash > 0 && covers(path.slice(0, slash));
    if (!verdict) {
      for (const entry of compiled.filter(({matcher}) => matcher.test(path))) {
        entry.used = true;
        verdict = true;
      }
    }
    verdicts.set(path, verdict);
    return verdict;
  }
  return {covers, unused: () => compiled.filter((entry) => !entry.used).map((entry) => entry.pattern)};
}
