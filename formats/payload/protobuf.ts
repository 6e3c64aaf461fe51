/**
 * Protobuf messages by a table of their fields, read strictly.
 *
 * Rejected: generated code. It keeps the last of two singular fields, passes over fields that it does not know, accepts
 * numbers in several lengths, and gives half of 64-bit numbers as they come; a file whose hash is signed by one reader
 * and acted on by another must mean one thing. Here a message has exactly one reading or none. The order of fields is
 * free, as the encoding's specification has it.
 *
 * Format: protobuf.dev/programming-guides/encoding. The one importer of the protobuf library.
 */
import {BinaryReader, BinaryWriter, WireType} from '@bufbuild/protobuf/wire';
import {PayloadError} from './types.ts';

/**
 * `uint` is any whole number on the wire as a varint, up to 2^53-1. `messages` are the bytes of each repetition.
 * `ignored` may be there and means nothing to us; `refused` would change what has to be done.
 */
export type FieldKind = 'uint' | 'bool' | 'fixed32' | 'bytes' | 'text' | 'messages' | 'ignored' | 'refused';

export type FieldTable = Readonly<Record<string, readonly [number: number, kind: FieldKind]>>;

interface ValueOfKind {
  uint: number | undefined;
  bool: boolean | undefined;
  fixed32: number | undefined;
  bytes: Uint8Array | undefined;
  text: string | undefined;
  messages: readonly Uint8Array[];
  ignored: undefined;
  refused: undefined;
}

export type MessageOf<T extends FieldTable> = {-readonly [K in keyof T]: ValueOfKind[T[K][1]]};

export interface MessageCodec<T extends FieldTable> {
  /** Throws PayloadError 'bad-manifest', 'truncated', or 'unsupported' for a field that is unknown or refused. */
  decode(bytes: Uint8Array): MessageOf<T>;
  /** Fields in the order of their numbers; what is undefined is left out. */
  encode(message: Partial<MessageOf<T>>): Uint8Array;
}

type Value = number | boolean | string | Uint8Array | readonly Uint8Array[] | undefined;

const WIRE_TYPES: Readonly<Record<FieldKind, WireType | undefined>> = {
  uint: WireType.Varint,
  bool: WireType.Varint,
  fixed32: WireType.Bit32,
  bytes: WireType.LengthDelimited,
  text: WireType.LengthDelimited,
  messages: WireType.LengthDelimited,
  ignored: undefined,
  refused: undefined,
};
const WORDS_BYTES = {[WireType.Bit32]: 4, [WireType.Bit64]: 8} as const;
const MAX_TAG = 2 ** 32 - 1;

/** The codec of one message; `name` is for error messages. */
export function defineMessage<const T extends FieldTable>(name: string, table: T): MessageCodec<T> {
  const fields = Object.entries(table)
    .map(([key, [number, kind]]) => ({key, number, kind}))
    .sort((a, b) => a.number - b.number);
  const byNumber = new Map(fields.map((field) => [field.number, field]));
  const repeated = fields.filter(({kind}) => kind === 'messages').map(({key}) => key);

  function decode(bytes: Uint8Array): MessageOf<T> {
    const cursor = new Cursor(bytes, name);
    const found: Record<string, Value> = {};
    const lists: Record<string, Uint8Array[]> = Object.fromEntries(repeated.map((key) => [key, []]));
    while (!cursor.isAtEnd) {
      const {number, wireType} = cursor.tag();
      const field = byNumber.get(number);
      if (field === undefined)
        throw new PayloadError('unsupported', `${name}: field ${number} is not one that we know`);
      const {key, kind} = field;
      if (kind === 'refused') throw new PayloadError('unsupported', `${name}.${key} is not supported`);
      const expected = WIRE_TYPES[kind];
      if (expected !== undefined && wireType !== expected) {
        throw new PayloadError(
          'bad-manifest',
          `${name}.${key} is of wire type ${wireType}, expected ${expected}`,
        );
      }
      if (kind === 'ignored') cursor.skip(wireType);
      else if (kind === 'messages') lists[key]?.push(cursor.bytes());
      else if (key in found) throw new PayloadError('bad-manifest', `${name}.${key} is there twice`);
      else found[key] = cursor.value(kind, key);
    }
    return {...found, ...lists} as MessageOf<T>;
  }

  function encode(message: Partial<MessageOf<T>>): Uint8Array {
    const writer = new BinaryWriter();
    for (const {key, number, kind} of fields) writeField(writer, number, kind, message[key]);
    return writer.finish();
  }

  return {decode, encode};
}

/** A place in the bytes of one message; every read checks the end first. */
class Cursor {
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  readonly #name: string;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes);
    this.#name = name;
  }

  get isAtEnd(): boolean {
    return this.#reader.pos >= this.#bytes.length;
  }

  tag(): {number: number; wireType: WireType} {
    const tag = this.#varint();
    if (tag > MAX_TAG || tag < 8) throw new PayloadError('bad-manifest', `${this.#name}: tag ${tag}`);
    return {number: Math.floor(tag / 8), wireType: tag % 8};
  }

  value(kind: Exclude<FieldKind, 'messages' | 'ignored' | 'refused'>, key: string): Value {
    if (kind === 'uint') return this.#varint();
    if (kind === 'bytes') return this.bytes();
    if (kind === 'fixed32') {
      this.#require(4);
      return this.#reader.fixed32();
    }
    if (kind === 'bool') {
      const number = this.#varint();
      if (number > 1) throw new PayloadError('bad-manifest', `${this.#name}.${key} is ${number}, not 0 or 1`);
      return number === 1;
    }
    try {
      return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(this.bytes());
    } catch (error) {
      if (error instanceof PayloadError) throw error;
      throw new PayloadError('bad-manifest', `${this.#name}.${key} is not UTF-8`, {cause: error});
    }
  }

  bytes(): Uint8Array {
    const length = this.#varint();
    this.#require(length);
    const start = this.#reader.pos;
    this.#reader.pos += length;
    return this.#bytes.subarray(start, start + length);
  }

  skip(wireType: WireType): void {
    if (wireType === WireType.Varint) this.#varint();
    else if (wireType === WireType.LengthDelimited) this.bytes();
    else if (wireType === WireType.Bit32 || wireType === WireType.Bit64) {
      this.#require(WORDS_BYTES[wireType]);
      this.#reader.pos += WORDS_BYTES[wireType];
    } else throw new PayloadError('bad-manifest', `${this.#name}: wire type ${wireType}`);
  }

  #require(length: number): void {
    const left = this.#bytes.length - this.#reader.pos;
    if (length <= left) return;
    throw new PayloadError('truncated', `${this.#name}: ${length} bytes wanted, ${left} are left`);
  }

  /** In its shortest form only: otherwise the same number has many spellings. */
  #varint(): number {
    const start = this.#reader.pos;
    let end = start;
    while (end < this.#bytes.length && ((this.#bytes[end] ?? 0) & 0x80) !== 0) end += 1;
    if (end >= this.#bytes.length) throw new PayloadError('truncated', `${this.#name} ends within a number`);
    const last = this.#bytes[end] ?? 0;
    const length = end - start + 1;
    if ((length > 1 && last === 0) || length > 10 || (length === 10 && last > 1))
      throw new PayloadError(
        'bad-manifest',
        `${this.#name}: a number of ${length} bytes, not in shortest form`,
      );
    if (length === 1) {
      this.#reader.pos += 1;
      return last;
    }
    const value = BigInt(this.#reader.uint64());
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new PayloadError('bad-manifest', `${this.#name}: the number ${value} is too large`);
    return Number(value);
  }
}

function writeField(writer: BinaryWriter, number: number, kind: FieldKind, value: Value): void {
  if (value === undefined) return;
  const wireType = WIRE_TYPES[kind];
  if (wireType === undefined) throw new PayloadError('unsupported', `field ${number} is never written`);
  if (kind === 'messages') {
    for (const each of value as readonly Uint8Array[]) writer.tag(number, wireType).bytes(each);
    return;
  }
  writer.tag(number, wireType);
  if (kind === 'uint') {
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw new PayloadError(
        'bad-manifest',
        `field ${number}: ${value as number} is no whole number up to 2^53-1`,
      );
    writer.uint64(BigInt(value as number));
  } else if (kind === 'bool') writer.bool(value as boolean);
  else if (kind === 'fixed32') writer.fixed32(value as number);
  else if (kind === 'text') writer.string(value as string);
  else writer.bytes(value as Uint8Array);
}
