/** Payloads on their way here, in pieces, each of which goes on where the one before stopped. */
import {ApiError, requireKnown} from './input.ts';
import {API_PREFIX, type ApiRoute, type Call} from './router.ts';
import type {ApiTools} from './tools.ts';

/** A piece has to come within the time that a request may take; clients choose how long theirs are. */
export const MAX_PIECE_BYTES = 16 << 20;

const PATH = /^uploads\/([0-9a-f]{64})$/;

export const UPLOAD_ROUTES: readonly ApiRoute[] = [
  {method: 'GET', path: PATH, role: 'publish', act: look},
  {method: 'PUT', path: PATH, role: 'publish', act: add},
];

async function look({words: [sha256 = '']}: Call, {payloads}: ApiTools): Promise<object> {
  return {sha256, received: await payloads.received(sha256)};
}

async function add({words: [sha256 = ''], query, request}: Call, {payloads}: ApiTools): Promise<object> {
  requireKnown(query, ['offset', 'bytes']);
  const [offset, total] = [readCount(query, 'offset'), readCount(query, 'bytes')];
  if (request.stream === null) throw new Error('the body of an upload was read already');
  if ((await payloads.find(sha256)) !== null) return {sha256, received: total};
  return {sha256, received: await payloads.append(sha256, {offset, total, chunks: request.stream})};
}

function readCount(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  if (!/^\d{1,15}$/.test(text)) throw new ApiError('bad-request', `${name} is no number of bytes: ${text}`);
  return Number(text);
}

const WRITTEN = new RegExp(`^${API_PREFIX}uploads/[0-9a-f]{64}$`);
const SUBMITTED = new RegExp(`^${API_PREFIX}releases/[^/]{1,64}$`);
/** A manifest, an SBOM and a list of packages, in JSON. */
export const MAX_SUBMISSION_BYTES = 32 << 20;

/** Bodies of the API that are read after the token was looked at; all others are short. */
export function apiStreamLimit(method: string, path: string): number | null {
  if (method !== 'PUT') return null;
  if (WRITTEN.test(path)) return MAX_PIECE_BYTES;
  return SUBMITTED.test(path) ? MAX_SUBMISSION_BYTES : null;
}
