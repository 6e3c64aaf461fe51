/**
 * QEMU's control protocol (QMP) as lines of JSON, decoded strictly.
 *
 * Reference: "QEMU Machine Protocol Specification", section 2, in QEMU's docs/interop.
 */
import {QemuError} from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export type QmpMessage =
  | {kind: 'greeting'; version: string}
  | {kind: 'return'; id: number; value: unknown}
  /** `id` is missing when QEMU could not even parse the request. */
  | {kind: 'error'; id: number | undefined; errorClass: string; description: string}
  | {kind: 'event'; name: string; data: JsonObject};

/** Answers to query commands are some KiB; anything like this is not QEMU. */
export const QMP_LINE_MAX_LENGTH = 4 * 1024 * 1024;

/** Cuts a stream of text into lines. Throws QemuError `bad-qmp` for a line without end. */
export class LineSplitter {
  #rest = '';

  push(chunk: string): string[] {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > QMP_LINE_MAX_LENGTH) {
      throw new QemuError('bad-qmp', `a QMP line is longer than ${QMP_LINE_MAX_LENGTH} characters`);
    }
    return lines.map((line) => line.replace(/\r$/, '')).filter((line) => line !== '');
  }
}

/** Throws QemuError `bad-qmp` for anything that is none of the protocol's messages. */
export function decodeQmp(line: string): QmpMessage {
  const message = parseObject(line);
  if (isObject(message['QMP'])) return {kind: 'greeting', version: greetingVersion(message['QMP'])};
  if (typeof message['event'] === 'string') {
    const data = message['data'];
    return {kind: 'event', name: message['event'], data: isObject(data) ? data : {}};
  }
  const id = message['id'];
  if ('return' in message && typeof id === 'number') return {kind: 'return', id, value: message['return']};
  const error = message['error'];
  if (isObject(error) && typeof error['class'] === 'string' && typeof error['desc'] === 'string') {
    return {
      kind: 'error',
      id: typeof id === 'number' ? id : undefined,
      errorClass: error['class'],
      description: error['desc'],
    };
  }
  throw new QemuError('bad-qmp', `unknown QMP message: ${shorten(line)}`);
}

export function encodeQmp(id: number, command: string, args: JsonObject | undefined): string {
  return `${JSON.stringify({execute: command, ...(args === undefined ? {} : {arguments: args}), id})}\n`;
}

function parseObject(line: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new QemuError('bad-qmp', `a QMP line is not JSON: ${shorten(line)}`, {cause: error});
  }
  if (!isObject(value)) throw new QemuError('bad-qmp', `a QMP line is not an object: ${shorten(line)}`);
  return value;
}

function greetingVersion(greeting: JsonObject): string {
  const version = isObject(greeting['version']) ? greeting['version']['qemu'] : undefined;
  if (!isObject(version)) throw new QemuError('bad-qmp', 'the QMP greeting has no version');
  return [version['major'], version['minor'], version['micro']].map(Number).join('.');
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shorten(line: string): string {
  return JSON.stringify(line.length > 200 ? `${line.slice(0, 200)}...` : line);
}
