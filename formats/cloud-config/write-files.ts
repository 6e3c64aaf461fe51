/** `write_files` of a cloud-config: files with their content decoded. */
import {gunzipSync} from 'node:zlib';
import {MIB} from '../units.ts';
import type {YamlEntry, YamlNode} from '../yaml.ts';
import {type Fields, type Reader, isMissing, joinPath, show} from './reader.ts';
import type {ConfigFile} from './types.ts';

const KEYS = ['path', 'content', 'encoding', 'permissions', 'owner'] as const;
type Key = (typeof KEYS)[number];

const DEFAULT_MODE = 0o644;
const MAX_FILE_BYTES = 16 * MIB;
/** Of all files of a config together. */
const MAX_TOTAL_BYTES = 64 * MIB;

/** Steps that undo an encoding; names as coreos-cloudinit knew them. */
const ENCODINGS: Readonly<Record<string, readonly ('base64' | 'gzip')[]>> = {
  base64: ['base64'],
  b64: ['base64'],
  gzip: ['gzip'],
  gz: ['gzip'],
  'gzip+base64': ['base64', 'gzip'],
  'gzip+b64': ['base64', 'gzip'],
  'gz+base64': ['base64', 'gzip'],
  'gz+b64': ['base64', 'gzip'],
};

export function readWriteFiles(reader: Reader, entry: YamlEntry | undefined): readonly ConfigFile[] {
  const files: ConfigFile[] = [];
  let total = 0;
  for (const {node, path} of reader.list(entry, 'write_files')) {
    const file = readFile(reader, node, path);
    if (file === null) continue;
    total += file.content.length;
    if (total > MAX_TOTAL_BYTES)
      reader.error(node.place, `${path}: all files together are larger than ${MAX_TOTAL_BYTES} bytes`);
    else if (files.some((other) => other.path === file.path))
      reader.error(node.place, `${path}: ${file.path} is there twice`);
    else files.push(file);
  }
  return files;
}

function readFile(reader: Reader, node: YamlNode, path: string): ConfigFile | null {
  const fields = reader.map(node, path, KEYS);
  if (fields === null) return null;
  const target = readPath(reader, fields, path);
  const content = readContent(reader, fields, path);
  const mode = readMode(reader, fields, path);
  const owner = readOwner(reader, fields, path);
  // A file with other rights than those meant may be worse than none.
  if (target === null || content === null || mode === null || owner === undefined) return null;
  return {path: target, content, mode, owner};
}

function readPath(reader: Reader, fields: Fields<Key>, path: string): string | null {
  const entry = fields.get('path');
  if (isMissing(entry)) return reader.error(fields.place, `${path} has no path`);
  const text = reader.line(entry, joinPath(path, 'path'));
  if (text === null) return null;
  const problem = pathProblem(text);
  if (problem === null) return text.replaceAll(/\/{2,}/g, '/');
  return reader.error(entry?.value.place ?? fields.place, `${path}: ${show(text)} ${problem}`);
}

/** What keeps a file from being written there, in the words that follow the path. */
function pathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'is no absolute path';
  if (path.length > 4095 || path.split('/').some((part) => part.length > 255)) return 'is too long';
  if (path.split('/').some((part) => part === '..' || part === '.')) return 'has . or .. in it';
  if (path.endsWith('/')) return 'is a folder';
  if (/^\/+(usr|bin|sbin|lib|lib64)\//.test(path))
    return 'belongs to the release and cannot be written; /etc and /opt/bin are yours';
  if (/^\/+(proc|sys|dev)\//.test(path)) return 'is none of the places where files are kept';
  return null;
}

function readContent(reader: Reader, fields: Fields<Key>, path: string): Uint8Array | null {
  const entry = fields.get('content');
  const text = reader.text(entry, joinPath(path, 'content')) ?? '';
  if (entry !== undefined && entry.value.kind !== 'scalar') return null;
  const encodingEntry = fields.get('encoding');
  const encoding = reader.line(encodingEntry, joinPath(path, 'encoding'));
  if (encoding === null || encodingEntry === undefined) return Buffer.from(text);
  const place = encodingEntry.value.place;
  const steps = Object.hasOwn(ENCODINGS, encoding) ? ENCODINGS[encoding] : undefined;
  if (steps === undefined)
    return reader.error(
      place,
      `${path}: encoding ${show(encoding)} is none of ${Object.keys(ENCODINGS).join(', ')}`,
    );
  // Without base64 the bytes of gzip would have to stand in a text, which only ASCII escapes make possible.
  let content: Uint8Array = Buffer.from(text, steps[0] === 'gzip' ? 'latin1' : 'utf8');
  for (const step of steps) {
    const next = step === 'base64' ? fromBase64(content) : unpack(content);
    if (typeof next === 'string')
      return reader.error(entry?.value.place ?? place, `${path}: content ${next}`);
    content = next;
  }
  return content;
}

function fromBase64(content: Uint8Array): Uint8Array | string {
  const text = Buffer.from(content).toString('latin1').replaceAll(/\s/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return 'is not base64';
  return Buffer.from(text, 'base64');
}

function unpack(content: Uint8Array): Uint8Array | string {
  try {
    return gunzipSync(content, {maxOutputLength: MAX_FILE_BYTES});
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? `unpacks to more than ${MAX_FILE_BYTES} bytes`
      : 'is not gzip, or damaged';
  }
}

/** Digits are octal, whatever YAML makes of them: `0644`, `"0644"` and `644` are the same. */
function readMode(reader: Reader, fields: Fields<Key>, path: string): number | null {
  const entry = fields.get('permissions');
  const text = reader.line(entry, joinPath(path, 'permissions'));
  if (text === null || entry === undefined)
    return entry?.value.kind === 'scalar' || entry === undefined ? DEFAULT_MODE : null;
  const [, digits] = /^(?:0o)?0{0,2}([0-7]{3,4})$/.exec(text) ?? [];
  if (digits === undefined)
    return reader.error(
      entry.value.place,
      `${path}: permissions ${show(text)} are no octal digits such as "0644"`,
    );
  return Number.parseInt(digits, 8);
}

/** Undefined for one that makes no sense. */
function readOwner(reader: Reader, fields: Fields<Key>, path: string): string | null | undefined {
  const entry = fields.get('owner');
  if (entry === undefined) return null;
  const text = reader.line(entry, joinPath(path, 'owner'));
  if (text === null) return entry.value.kind === 'scalar' ? null : undefined;
  if (/^([a-z_][a-z0-9_-]{0,30}\$?|\d{1,10})(:([a-z_][a-z0-9_-]{0,30}\$?|\d{1,10})?)?$/.test(text))
    return text;
  reader.error(entry.value.place, `${path}: owner ${show(text)} is neither "user" nor "user:group"`);
  return undefined;
}
