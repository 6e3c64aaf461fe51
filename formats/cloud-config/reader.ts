/**
 * Reads values out of a YAML tree and collects what is wrong, each with its line: one mistake does not hide the next,
 * and the rest of a configuration still counts. Every `read` gives null for what is missing or wrong.
 */
import {nearest} from '../nearest.ts';
import type {Place, YamlEntry, YamlNode} from '../yaml.ts';
import type {Finding} from './types.ts';

export interface Reader {
  readonly findings: readonly Finding[];
  error(place: Place, text: string): null;
  warn(place: Place, text: string): void;
  /** Text of one line, the way it is written: `42` and `yes` are texts as well. Empty is missing. */
  line(entry: YamlEntry | undefined, path: string): string | null;
  /** Text of any length and number of lines. */
  text(entry: YamlEntry | undefined, path: string): string | null;
  flag(entry: YamlEntry | undefined, path: string): boolean | null;
  /** Items that are not as they should be are left out. */
  lines(entry: YamlEntry | undefined, path: string): readonly string[];
  list(entry: YamlEntry | undefined, path: string): readonly {node: YamlNode; path: string}[];
  /** Keys of a map, hyphens as underscores; what is not in `known` is reported. */
  map<Key extends string>(
    node: YamlNode | undefined,
    path: string,
    known: readonly Key[],
  ): Fields<Key> | null;
}

export interface Fields<Key extends string> {
  readonly place: Place;
  readonly get: (key: Key) => YamlEntry | undefined;
  /** In the order of the text. */
  readonly entries: readonly {readonly key: Key; readonly entry: YamlEntry}[];
}

/** A path, a key, an address: nothing that is written on one line is longer. */
const MAX_LINE = 32_768;

export function createReader(): Reader {
  const findings: Finding[] = [];
  const report = (kind: Finding['kind'], {line, column}: Place, text: string): null => {
    findings.push({kind, line, column, text});
    return null;
  };
  const error = (place: Place, text: string): null => report('error', place, text);

  function text(entry: YamlEntry | undefined, path: string): string | null {
    if (entry === undefined) return null;
    return textOf(entry.value, path);
  }

  function textOf(node: YamlNode, path: string): string | null {
    if (node.kind !== 'scalar') return error(node.place, `${path} is a ${node.kind}, expected text`);
    if (node.value === null) return null;
    return node.text;
  }

  function lineOf(node: YamlNode, path: string): string | null {
    const found = textOf(node, path)?.trim() ?? '';
    if (found === '') return null;
    if (found.length > MAX_LINE) return error(node.place, `${path} is longer than ${MAX_LINE} characters`);
    if (/\p{Cc}/u.test(found))
      return error(node.place, `${path} has a line break or control character in it`);
    return found;
  }

  function flag(entry: YamlEntry | undefined, path: string): boolean | null {
    if (entry === undefined) return null;
    const {value} = entry;
    if (value.kind === 'scalar') {
      if (value.value === null || typeof value.value === 'boolean') return value.value;
      // In quotes it is a text, which people write all the same.
      if (/^(true|yes|on)$/i.test(value.text)) return true;
      if (/^(false|no|off)$/i.test(value.text)) return false;
      return error(value.place, `${path} is ${show(value.text)}, expected true or false`);
    }
    return error(value.place, `${path} is a ${value.kind}, expected true or false`);
  }

  function list(entry: YamlEntry | undefined, path: string): readonly {node: YamlNode; path: string}[] {
    if (entry === undefined || isNull(entry.value)) return [];
    if (entry.value.kind === 'list')
      return entry.value.items.map((node, index) => ({node, path: `${path}[${index}]`}));
    error(
      entry.value.place,
      `${path} is ${entry.value.kind === 'map' ? 'a map' : 'text'}, expected a list ("- ...")`,
    );
    return [];
  }

  function map<Key extends string>(
    node: YamlNode | undefined,
    path: string,
    known: readonly Key[],
  ): Fields<Key> | null {
    if (node === undefined || isNull(node)) return null;
    const where = path === '' ? 'the cloud-config' : path;
    if (node.kind !== 'map')
      return error(
        node.place,
        `${where} is ${node.kind === 'list' ? 'a list' : 'text'}, expected keys ("name: ...")`,
      );
    const fields = new Map<string, YamlEntry>();
    const entries: {key: Key; entry: YamlEntry}[] = [];
    for (const entry of node.entries) {
      const key = entry.key.replaceAll('-', '_');
      const found = known.find((name) => name === key);
      if (found === undefined) reportUnknown(entry, path, known);
      else if (fields.has(key)) error(entry.keyPlace, `${joinPath(path, entry.key)} is there twice`);
      else {
        fields.set(key, entry);
        entries.push({key: found, entry});
      }
    }
    return {place: node.place, get: (key) => fields.get(key), entries};
  }

  function reportUnknown(entry: YamlEntry, path: string, known: readonly string[]): void {
    const guess = nearest(entry.key.replaceAll('-', '_').toLowerCase(), known);
    const hint = guess === null ? '' : `; did you mean ${guess}?`;
    report('unknown-key', entry.keyPlace, `unknown key ${joinPath(path, entry.key.slice(0, 80))}${hint}`);
  }

  return {
    findings,
    error,
    warn: (place, what) => void report('warning', place, what),
    text,
    line: (entry, path) => (entry === undefined ? null : lineOf(entry.value, path)),
    flag,
    list,
    lines: (entry, path) =>
      list(entry, path).flatMap(({node, path: item}) => {
        const found = lineOf(node, item);
        return found === null ? [] : [found];
      }),
    map,
  };
}

export function joinPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** Not there, or without a value. */
export function isMissing(entry: YamlEntry | undefined): boolean {
  return (
    entry === undefined ||
    isNull(entry.value) ||
    (entry.value.kind === 'scalar' && entry.value.text.trim() === '')
  );
}

/** In quotes and bounded, for messages. */
export function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}
