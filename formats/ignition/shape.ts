/**
 * What a value must look like, as data, and the one walk that reads a tree by it and collects what is wrong, each with
 * its line: one mistake does not hide the next. Ignition's JSON and the YAML that is translated to it are two tables.
 */
import {nearest} from '../nearest.ts';
import type {Place, YamlEntry, YamlNode} from '../yaml.ts';

export type Shape =
  | {readonly kind: 'text'; readonly check?: (text: string) => string | null}
  | {readonly kind: 'integer'; readonly check?: (number: number) => string | null}
  | {readonly kind: 'flag'}
  | {readonly kind: 'list'; readonly of: Shape}
  | ObjectShape;

export interface ObjectShape {
  readonly kind: 'object';
  /** By the name in the text. */
  readonly keys: Readonly<Record<string, Field>>;
  readonly required: readonly string[];
  /** Makes the value of the config out of what was read. */
  readonly finish?: (value: Values, at: Position, findings: Findings) => Values;
}

export interface Field {
  /** In the config. */
  readonly name: string;
  readonly shape: Shape;
}

export type Values = Record<string, unknown>;

/** A value and what it is called in messages. */
export interface Position {
  readonly place: Place;
  readonly path: string;
}

export interface Finding {
  readonly kind: 'error' | 'warning';
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export interface Findings {
  readonly all: Finding[];
  error(place: Place, text: string): void;
  warn(place: Place, text: string): void;
}

export function createFindings(): Findings {
  const all: Finding[] = [];
  const add = (kind: Finding['kind'], {line, column}: Place, text: string): void =>
    void all.push({kind, line, column, text});
  return {
    all,
    error: (place, text) => add('error', place, text),
    warn: (place, text) => add('warning', place, text),
  };
}

/** Undefined for what is missing or wrong; an empty value (`null`) is missing. */
export function readByShape(node: YamlNode, shape: Shape, path: string, findings: Findings): unknown {
  if (node.kind === 'scalar' && node.value === null) return undefined;
  switch (shape.kind) {
    case 'text':
      return readText(node, shape, path, findings);
    case 'integer':
      return readInteger(node, shape, path, findings);
    case 'flag':
      if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
      return wrong(node, path, 'true or false', findings);
    case 'list':
      if (node.kind !== 'list') return wrong(node, path, 'a list', findings);
      return node.items
        .map((item, index) => readByShape(item, shape.of, `${path}[${index}]`, findings))
        .filter((item) => item !== undefined);
    case 'object':
      if (node.kind !== 'map') return wrong(node, path, 'keys and values', findings);
      return readObject(node.place, node.entries, shape, path, findings);
  }
}

function readObject(
  place: Place,
  entries: readonly YamlEntry[],
  shape: ObjectShape,
  path: string,
  findings: Findings,
): Values {
  const value: Values = {};
  for (const {key, keyPlace, value: node} of entries) {
    const field = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    const full = joinPath(path, key.slice(0, 80));
    if (field === undefined) {
      const guess = nearest(key, Object.keys(shape.keys));
      findings.error(keyPlace, `unknown key ${full}${guess === null ? '' : `; did you mean ${guess}?`}`);
      continue;
    }
    const read = readByShape(node, field.shape, full, findings);
    if (read !== undefined) value[field.name] = read;
  }
  for (const key of shape.required) {
    const name = shape.keys[key]?.name ?? key;
    // What is there and wrong has been said.
    if (value[name] === undefined && !entries.some((entry) => entry.key === key))
      findings.error(place, `${joinPath(path, key)} is missing`);
  }
  return shape.finish?.(value, {place, path}, findings) ?? value;
}

function readText(
  node: YamlNode,
  {check}: Extract<Shape, {kind: 'text'}>,
  path: string,
  findings: Findings,
): string | undefined {
  // A text that looks like a number or a date is still the text that was written.
  if (node.kind !== 'scalar' || typeof node.value === 'boolean') return wrong(node, path, 'text', findings);
  const problem = check?.(node.text) ?? null;
  if (problem === null) return node.text;
  findings.error(node.place, `${path}: ${problem}`);
  return undefined;
}

function readInteger(
  node: YamlNode,
  {check}: Extract<Shape, {kind: 'integer'}>,
  path: string,
  findings: Findings,
): number | undefined {
  const number = node.kind === 'scalar' && typeof node.value !== 'string' ? integerOf(node.text) : null;
  if (number === null) return wrong(node, path, 'a whole number', findings);
  const problem = check?.(number) ?? null;
  if (problem === null) return number;
  findings.error(node.place, `${path}: ${problem}`);
  return undefined;
}

/** With a leading zero octal, as in the tools that people have such files from; YAML 1.2 alone would read 0644 as 644. */
function integerOf(text: string): number | null {
  if (/^0o?[0-7]{1,11}$/.test(text)) return Number.parseInt(text.replace(/^0o?/, ''), 8);
  return /^-?\d{1,15}$/.test(text) ? Number(text) : null;
}

function wrong(node: YamlNode, path: string, expected: string, findings: Findings): undefined {
  const found = {
    map: 'keys and values',
    list: 'a list',
    scalar: node.kind === 'scalar' ? quote(node.text) : '',
  }[node.kind];
  findings.error(node.place, `${path === '' ? 'the config' : path} is ${found}, expected ${expected}`);
}

export function joinPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** In quotes and bounded, for messages. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
