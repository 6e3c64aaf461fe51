/**
 * etcd's v3 API as its HTTP gateway speaks it: JSON, bytes in base64, 64-bit numbers as strings. A field with its default
 * value is left out of an answer, so everything has one here.
 */
import {z} from '../../formats/schema.ts';

/** A revision or a lease; beyond 2^53 for leases, hence bigint. */
const int64 = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt)
  .default(0n);

const bytes = z
  .base64()
  .default('')
  .transform((text) => Buffer.from(text, 'base64'));

const keyValueSchema = z.object({
  key: bytes,
  value: bytes,
  create_revision: int64,
  mod_revision: int64,
  lease: int64,
});

const headerSchema = z.object({revision: int64, member_id: z.string().max(20).default('0')});

export const rangeSchema = z.object({
  header: headerSchema,
  kvs: z.array(keyValueSchema).max(100_000).default([]),
  count: int64,
});

export const txnSchema = z.object({header: headerSchema, succeeded: z.boolean().default(false)});

export const leaseSchema = z.object({ID: int64, TTL: int64, error: z.string().max(1000).optional()});

/** A stream's answers come one a line, each wrapped. */
export const keepAliveSchema = z.object({result: z.object({ID: int64, TTL: int64})});

export const tokenSchema = z.object({token: z.string().min(1).max(4096)});

export const statusSchema = z.object({
  header: headerSchema,
  version: z.string().max(100).default(''),
  leader: z.string().max(20).default('0'),
  dbSize: int64,
  isLearner: z.boolean().default(false),
  errors: z.array(z.string().max(1000)).max(100).default([]),
});

export const alarmsSchema = z.object({
  alarms: z
    .array(z.object({memberID: z.string().max(20).default('0'), alarm: z.string().max(100).default('NONE')}))
    .max(1000)
    .default([]),
});

/** `error` is what older gateways call it. */
export const failureSchema = z.object({
  code: z.int().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
});

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** 0 when it has none. */
  readonly lease: bigint;
}

export interface RangeAsk {
  readonly key: string;
  /** All keys that begin with `key`, not just that one. */
  readonly isPrefix?: boolean;
  readonly keysOnly?: boolean;
  readonly limit?: number;
  /** Oldest first by the time they were made; else by key. */
  readonly order?: 'created';
}

export function rangeBody({key, isPrefix, keysOnly, limit, order}: RangeAsk): unknown {
  return {
    key: encodeKey(key),
    ...(isPrefix === true ? {range_end: endOfPrefix(key)} : {}),
    ...(keysOnly === true ? {keys_only: true} : {}),
    ...(limit === undefined ? {} : {limit: String(limit)}),
    ...(order === undefined ? {} : {sort_order: 'ASCEND', sort_target: 'CREATE'}),
  };
}

export function keyValueOf(raw: z.output<typeof keyValueSchema>): KeyValue {
  return {
    key: raw.key.toString('utf8'),
    value: raw.value,
    createRevision: raw.create_revision,
    modRevision: raw.mod_revision,
    lease: raw.lease,
  };
}

export type Change =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      /** `keep`: the one that the key has. */
      readonly lease?: bigint | 'keep';
    }
  | {readonly kind: 'delete'; readonly key: string};

/** Holds when the key was last written at that revision; at 0, when it is not there. */
export interface Condition {
  readonly key: string;
  readonly modRevision: bigint;
}

export function txnBody(conditions: readonly Condition[], changes: readonly Change[]): unknown {
  return {
    compare: conditions.map(({key, modRevision}) => ({
      key: encodeKey(key),
      target: 'MOD',
      result: 'EQUAL',
      mod_revision: String(modRevision),
    })),
    success: changes.map((change) =>
      change.kind === 'delete'
        ? {request_delete_range: {key: encodeKey(change.key)}}
        : {
            request_put: {
              key: encodeKey(change.key),
              value: Buffer.from(change.value).toString('base64'),
              ...(change.lease === 'keep' ? {ignore_lease: true} : {}),
              ...(typeof change.lease === 'bigint' ? {lease: String(change.lease)} : {}),
            },
          },
    ),
  };
}

function encodeKey(key: string): string {
  return Buffer.from(key).toString('base64');
}

/** The first key after all that begin so. Our prefixes end with a slash, so there is a byte to raise. */
function endOfPrefix(prefix: string): string {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end.toString('base64');
}
