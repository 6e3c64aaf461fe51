/**
 * The FleetLock protocol, version 1, as Zincati speaks it (its docs/development/fleetlock/protocol.md): two questions by
 * POST, an answer that is a status, and a reason in JSON when that is no 2xx.
 */
import {describeIssues, z} from '../schema.ts';
import {CodedError} from '../errors.ts';

export class FleetLockError extends CodedError<'bad-request' | 'bad-identity'> {}

export const FLEET_LOCK_HEADER = 'fleet-lock-protocol';
export const FLEET_LOCK_PATHS = {'pre-reboot': '/v1/pre-reboot', 'steady-state': '/v1/steady-state'} as const;
export type FleetLockVerb = keyof typeof FLEET_LOCK_PATHS;

export interface FleetLockClient {
  readonly id: string;
  readonly group: string;
}

/** Requests have some 120 bytes. */
export const MAX_FLEET_LOCK_BYTES = 4096;
const MAX_ID_CHARACTERS = 256;
const MAX_GROUP_CHARACTERS = 128;
const MAX_VALUE_CHARACTERS = 300;
const GROUP = new RegExp(`^[a-zA-Z0-9.-]{1,${MAX_GROUP_CHARACTERS}}$`);

const requestSchema = z.object({client_params: z.object({id: z.string(), group: z.string()})});
const failureSchema = z.object({kind: z.string(), value: z.string()});

export function encodeFleetLockRequest({id, group}: FleetLockClient): string {
  return JSON.stringify({client_params: {id, group}});
}

/**
 * Fields of later versions are passed over. Throws FleetLockError: 'bad-request' for what is no request, 'bad-identity'
 * for an id or a group that can be none.
 */
export function decodeFleetLockRequest(text: string): FleetLockClient {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FleetLockError('bad-request', 'the request is no JSON', {cause: error});
  }
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success)
    throw new FleetLockError(
      'bad-request',
      `the request is of another form: ${describeIssues(parsed.error)}`,
    );
  const {id, group} = parsed.data.client_params;
  if (id === '' || id.length > MAX_ID_CHARACTERS || /[\p{C}]/u.test(id))
    throw new FleetLockError(
      'bad-identity',
      `the id is empty, longer than ${MAX_ID_CHARACTERS}, or not printable`,
    );
  if (!GROUP.test(group))
    throw new FleetLockError(
      'bad-identity',
      `the group is not made of 1 to ${MAX_GROUP_CHARACTERS} letters, digits, dots and dashes`,
    );
  return {id, group};
}

export function encodeFleetLockFailure(kind: string, value: string): string {
  return `${JSON.stringify({kind, value})}\n`;
}

/** `failed_lock: all slots are taken`; null when the body is no reason. */
export function describeFleetLockFailure(text: string): string | null {
  try {
    const parsed = failureSchema.safeParse(JSON.parse(text));
    if (!parsed.success) return null;
    const {kind, value} = parsed.data;
    return `${kind}: ${value}`.slice(0, MAX_VALUE_CHARACTERS).replaceAll(/\p{C}+/gu, ' ');
  } catch {
    return null;
  }
}
