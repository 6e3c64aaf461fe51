/**
 * The registry of a discovery service of etcd (its v2 keys below a token): who has come to form a cluster, in which order.
 * The first so many are its members. What is decided here is what etcd decides by itself for a member that registers; it
 * has no way back for one that registered and ended before the others came.
 */
import {CodedError} from './errors.ts';
import {z} from './schema.ts';

export class DiscoveryError extends CodedError<'not-a-registry'> {}

export interface Registration {
  /** `name=peerURL`, with a comma between several. */
  readonly value: string;
  /** Grows with every registration. */
  readonly createdIndex: number;
}

export type Standing =
  /** etcd will register by itself. */
  | {readonly kind: 'not-registered'}
  /** Others were first: there is no place. */
  | {readonly kind: 'not-among-the-first'; readonly size: number}
  | {readonly kind: 'waiting'; readonly here: number; readonly size: number}
  /** For etcd's `initial-cluster`. */
  | {readonly kind: 'complete'; readonly initialCluster: string};

/** Larger answers are none: a cluster has seven members. */
export const MAX_REGISTRY_BYTES = 1 << 20;
/** More than any cluster should have. */
const MAX_SIZE = 1000;

const registrySchema = z.object({
  node: z.object({
    nodes: z
      .array(
        z.object({
          key: z.string(),
          value: z.string().max(8192).optional(),
          createdIndex: z.number().int().nonnegative(),
        }),
      )
      .max(MAX_SIZE)
      .optional(),
  }),
});
const sizeSchema = z.object({node: z.object({value: z.string().regex(/^\d{1,4}$/)})});

/** In the order in which they came. Throws DiscoveryError. */
export function parseRegistry(text: string, where: string): readonly Registration[] {
  const {node} = parse(registrySchema, text, where);
  return (node.nodes ?? [])
    .flatMap(({key, value, createdIndex}) =>
      // `_config` is a folder and hidden; what has no value is nobody.
      value === undefined || (key.split('/').at(-1) ?? '').startsWith('_') ? [] : [{value, createdIndex}],
    )
    .sort((a, b) => a.createdIndex - b.createdIndex);
}

/** How many members the cluster shall have. Throws DiscoveryError. */
export function parseRegistrySize(text: string, where: string): number {
  const size = Number(parse(sizeSchema, text, where).node.value);
  if (size < 1 || size > MAX_SIZE)
    throw new DiscoveryError('not-a-registry', `${where} has a cluster of ${size} members`);
  return size;
}

function parse<T>(schema: z.ZodType<T>, text: string, where: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new DiscoveryError('not-a-registry', `${where} did not answer as a discovery service does`, {
      cause: error,
    });
  }
}

/** What etcd registers for a member. `peerUrls` as in its variable: with commas between. */
export function registrationOf(name: string, peerUrls: string): string {
  return peerUrls
    .split(',')
    .map((url) => `${name}=${url.trim()}`)
    .sort()
    .join(',');
}

export function standingOf(registrations: readonly Registration[], size: number, own: string): Standing {
  const place = registrations.findIndex(({value}) => value.split(',').sort().join(',') === own);
  if (place === -1) return {kind: 'not-registered'};
  if (place >= size) return {kind: 'not-among-the-first', size};
  if (registrations.length < size) return {kind: 'waiting', here: registrations.length, size};
  const members = registrations.slice(0, size).map(({value}) => value);
  return {kind: 'complete', initialCluster: members.join(',')};
}
