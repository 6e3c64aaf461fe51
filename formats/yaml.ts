/**
 * The one opener of YAML: text in, a tree in which every node knows its line and column. Tags, several documents and
 * repeated keys are refused; aliases are counted, and the tree they unfold to is bounded.
 *
 * Rejected: plain objects, as the library gives them. An error about a value has to name its line, and old
 * configurations write `permissions: 0644` or `hostname: 42`, where the text counts and not the number.
 */
import {
  type Alias,
  type Document,
  LineCounter,
  type Node,
  type Scalar,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
} from 'yaml';
import {CodedError} from './errors.ts';

/** Both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly place: Place;
  /** As it is written, quotes and escapes resolved. */
  readonly text: string;
  /** What the text means in the version that was asked for. */
  readonly value: null | boolean | number | bigint | string;
}

export interface YamlList {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly YamlNode[];
}

export interface YamlEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: YamlNode;
}

export interface YamlMap {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: readonly YamlEntry[];
}

export type YamlNode = YamlScalar | YamlList | YamlMap;

export type YamlErrorCode = 'bad-yaml' | 'too-large';

/** The message ends with the place, if there is one. */
export class YamlError extends CodedError<YamlErrorCode> {
  readonly place: Place | null;

  constructor(code: YamlErrorCode, message: string, place: Place | null, options: {cause?: unknown} = {}) {
    super(
      code,
      place === null ? message : `${message} at line ${place.line}, column ${place.column}`,
      options,
    );
    this.place = place;
  }
}

export interface YamlOptions {
  /** In 1.1, which old configurations are written in, `yes` and `on` are true, and `<<` merges. */
  readonly version: '1.1' | '1.2';
  /** How often `*name` may be used. */
  readonly maxAliases: number;
  readonly maxCharacters: number;
}

const MAX_NODES = 100_000;
/** The library descends by recursion, and so do we. */
const MAX_DEPTH = 64;
const MERGE_KEY = '<<';

/** Null for an empty document. Throws YamlError. */
export function parseYaml(text: string, options: YamlOptions): YamlNode | null {
  if (text.length > options.maxCharacters)
    throw new YamlError(
      'too-large',
      `the text has ${text.length} characters, more than ${options.maxCharacters}`,
      null,
    );
  refuseDeepNesting(text);
  const lines = new LineCounter();
  const document = open(text, lines, options);
  const placeAt = (offset: number): Place => {
    const {line, col} = lines.linePos(offset);
    return {line: Math.max(1, line), column: Math.max(1, col)};
  };
  // A warning is an unknown tag or directive.
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined)
    throw new YamlError('bad-yaml', problem.message.trim(), placeAt(problem.pos[0]), {cause: problem});
  if (document.contents === null) return null;
  return createConverter(document, placeAt, options).convert(document.contents, 0);
}

function open(text: string, lineCounter: LineCounter, {version}: YamlOptions): Document.Parsed {
  try {
    return parseDocument(text, {
      version,
      lineCounter,
      uniqueKeys: true,
      strict: true,
      // Ours says less, and says it once: a text of nothing but errors would get a drawing for each.
      prettyErrors: false,
      logLevel: 'error',
    });
  } catch (error) {
    // Recursion that runs out of stack, above all.
    throw new YamlError(
      'bad-yaml',
      `not readable as YAML: ${error instanceof Error ? error.message : ''}`,
      null,
      {
        cause: error,
      },
    );
  }
}

/** Brackets, and dashes of a list in a list, that may follow each other: the library recurses for each. */
const MAX_RUN = 500;

function refuseDeepNesting(text: string): void {
  for (const {0: run, index} of text.matchAll(/(?:(?:[[{]|[-?](?=\s))\s*){2,}/g)) {
    if (run.replaceAll(/\s/g, '').length > MAX_RUN)
      throw new YamlError(
        'bad-yaml',
        `more than ${MAX_RUN} brackets or dashes in a row`,
        placeIn(text, index),
      );
  }
}

function placeIn(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n');
  return {line: before.length, column: (before.at(-1)?.length ?? 0) + 1};
}

interface Converter {
  convert(node: unknown, depth: number): YamlNode;
}

function createConverter(
  document: Document.Parsed,
  placeAt: (offset: number) => Place,
  {maxAliases}: YamlOptions,
): Converter {
  let nodes = 0;
  let aliases = 0;
  const placeOfNode = (node: unknown): Place => placeAt((node as Partial<Node> | null)?.range?.[0] ?? 0);

  function convert(node: unknown, depth: number): YamlNode {
    const place = placeOfNode(node);
    nodes += 1;
    if (nodes > MAX_NODES) throw new YamlError('too-large', `more than ${MAX_NODES} values`, place);
    if (depth > MAX_DEPTH) throw new YamlError('bad-yaml', `nested deeper than ${MAX_DEPTH}`, place);
    if (isAlias(node)) return convert(resolve(node, place), depth + 1);
    refuseTag(node, place);
    if (isScalar(node)) return convertScalar(node, place);
    if (isSeq(node)) return {kind: 'list', place, items: node.items.map((item) => convert(item, depth + 1))};
    if (isMap(node)) return {kind: 'map', place, entries: convertEntries(node.items, place, depth)};
    // A key without a value.
    return {kind: 'scalar', place, text: '', value: null};
  }

  function resolve(alias: Alias, place: Place): Node {
    aliases += 1;
    if (maxAliases === 0) throw new YamlError('bad-yaml', 'aliases (*name) are not supported', place);
    if (aliases > maxAliases)
      throw new YamlError('too-large', `more than ${maxAliases} aliases (*name)`, place);
    const target = alias.resolve(document);
    if (target === undefined)
      throw new YamlError('bad-yaml', `no anchor &${alias.source} before the alias`, place);
    return target;
  }

  function convertEntries(
    pairs: readonly {key: unknown; value: unknown}[],
    place: Place,
    depth: number,
  ): YamlEntry[] {
    const entries: YamlEntry[] = [];
    const merged: YamlEntry[] = [];
    for (const {key, value} of pairs) {
      const keyPlace = key === null ? place : placeOfNode(key);
      refuseTag(key, keyPlace);
      if (!isScalar(key)) throw new YamlError('bad-yaml', 'a key that is no text', keyPlace);
      // A key without a value has no node of its own, and stands for its place.
      const converted =
        value === null
          ? ({kind: 'scalar', place: keyPlace, text: '', value: null} as const)
          : convert(value, depth + 1);
      if (typeof key.value === 'symbol') merged.push(...entriesToMerge(converted, keyPlace));
      else entries.push({key: textOf(key), keyPlace, value: converted});
    }
    const own = new Set(entries.map(({key}) => key));
    for (const entry of merged) {
      if (own.has(entry.key)) continue;
      own.add(entry.key);
      entries.push(entry);
    }
    return entries;
  }

  return {convert};
}

function entriesToMerge(node: YamlNode, place: Place): readonly YamlEntry[] {
  if (node.kind === 'map') return node.entries;
  if (node.kind === 'list') return node.items.flatMap((item) => entriesToMerge(item, place));
  throw new YamlError('bad-yaml', `${MERGE_KEY} wants a map, or a list of maps`, place);
}

function refuseTag(node: unknown, place: Place): void {
  const tag = (node as {tag?: string} | null)?.tag;
  if (tag !== undefined)
    throw new YamlError('bad-yaml', `tags (${tag.slice(0, 60)}) are not supported`, place);
}

function convertScalar(node: Scalar, place: Place): YamlScalar {
  const text = textOf(node);
  const {value} = node;
  const isPlain =
    value === null ||
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'string';
  // A time of YAML 1.1 is a Date to the library; here it stays text.
  return {kind: 'scalar', place, text, value: isPlain ? value : text};
}

function textOf(node: Scalar): string {
  return node.source ?? '';
}

/** The tree as objects, arrays and values, for a schema. */
export function plainValue(node: YamlNode | null): unknown {
  if (node === null) return null;
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(plainValue);
    case 'map':
      return Object.fromEntries(node.entries.map(({key, value}) => [key, plainValue(value)]));
  }
}

/** Where a key or an item of a list stands; for one that is missing, what it is missing from. */
export function placeOf(root: YamlNode | null, path: readonly PropertyKey[]): Place | undefined {
  let node = root;
  let place = root?.place;
  for (const part of path) {
    if (node?.kind === 'map') {
      const entry = node.entries.find(({key}) => key === String(part));
      if (entry === undefined) return node.place;
      [node, place] = [entry.value, entry.keyPlace];
    } else if (node?.kind === 'list') {
      const item = node.items[Number(part)];
      if (item === undefined) return node.place;
      [node, place] = [item, item.place];
    } else return place;
  }
  return place;
}
