/**
 * JSON as a tree in which every value knows its line and column, the same tree that YAML gives: what is wrong with a
 * value is then said in one way for both. Repeated keys are refused. Rejected: reading JSON as YAML, of which it is
 * nearly a part; tabs and some escapes are where nearly ends.
 */
import {CodedError} from './errors.ts';
import type {Place, YamlEntry, YamlNode} from './yaml.ts';

/** The message ends with the place. */
export class JsonError extends CodedError<'bad-json'> {
  readonly place: Place;

  constructor(message: string, place: Place) {
    super('bad-json', `${message} at line ${place.line}, column ${place.column}`);
    this.place = place;
  }
}

const MAX_DEPTH = 64;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /(?:true|false|null)\b/y;
const BLANKS = /[ \t\n\r]*/y;

/** RFC 8259. Throws JsonError. */
export function parseJsonTree(text: string): YamlNode {
  let at = 0;
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({index}) => index + 1)];

  function place(offset = at): Place {
    let [low, high] = [0, lineStarts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return {line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1};
  }

  function fail(expected: string): never {
    const found =
      at >= text.length ? 'the text ends' : `unexpected ${JSON.stringify(text.slice(at, at + 1))}`;
    throw new JsonError(`${found}, ${expected} expected`, place());
  }

  function take(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) return null;
    at += found.length;
    return found;
  }

  function takeMark(mark: string): boolean {
    take(BLANKS);
    if (!text.startsWith(mark, at)) return false;
    at += 1;
    return true;
  }

  function string(): string {
    const found = take(STRING);
    if (found === null)
      fail(text.startsWith('"', at) ? 'a string without line breaks and bad escapes' : 'a key in quotes');
    return JSON.parse(found) as string;
  }

  function value(depth: number): YamlNode {
    take(BLANKS);
    const start = place();
    if (depth > MAX_DEPTH) throw new JsonError(`nested deeper than ${MAX_DEPTH}`, start);
    if (text.startsWith('"', at)) {
      const content = string();
      return {kind: 'scalar', place: start, text: content, value: content};
    }
    if (takeMark('{')) return {kind: 'map', place: start, entries: entries(depth)};
    if (takeMark('[')) return {kind: 'list', place: start, items: items(depth)};
    const plain = take(NUMBER) ?? take(WORD);
    if (plain === null) fail('a value');
    return {kind: 'scalar', place: start, text: plain, value: JSON.parse(plain) as number | boolean | null};
  }

  function entries(depth: number): YamlEntry[] {
    const found: YamlEntry[] = [];
    const keys = new Set<string>();
    if (takeMark('}')) return found;
    do {
      take(BLANKS);
      const keyPlace = place();
      const key = string();
      if (keys.has(key))
        throw new JsonError(`key ${JSON.stringify(key.slice(0, 80))} is there twice`, keyPlace);
      keys.add(key);
      if (!takeMark(':')) fail('a colon');
      found.push({key, keyPlace, value: value(depth + 1)});
    } while (takeMark(','));
    if (!takeMark('}')) fail('a comma or }');
    return found;
  }

  function items(depth: number): YamlNode[] {
    const found: YamlNode[] = [];
    if (takeMark(']')) return found;
    do found.push(value(depth + 1));
    while (takeMark(','));
    if (!takeMark(']')) fail('a comma or ]');
    return found;
  }

  const root = value(0);
  take(BLANKS);
  if (at < text.length) fail('the end');
  return root;
}
