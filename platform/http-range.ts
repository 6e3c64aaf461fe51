/**
 * A file over HTTP from any byte on, as a stream. Every promise that a server can break is checked before or while its
 * bytes are handed out: the range that was asked for, the length of the whole, the file being the same one as before.
 * What the bytes are worth is for the reader's hashes; this is so that a lie costs a clear error at once and not a
 * failed hash after a gigabyte.
 */
import {
  type Validators,
  differenceOf,
  ifRangeOf,
  parseContentRange,
  parseEtag,
} from '../formats/http-ranges.ts';
import {HttpError, endlessRedirection} from './http-error.ts';
import type {HttpAnswer, HttpExchange} from './http.ts';

export interface RangeRequest {
  readonly url: string;
  /** The first byte that is wanted; below `bytes`. */
  readonly offset: number;
  /** The whole file's length, which must be known. */
  readonly bytes: number;
  /** Of the answer that gave the bytes before `offset`; null when there is none, or nobody remembers. */
  readonly validators: Validators | null;
  /** For example authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface RangeAnswer {
  readonly validators: Validators;
  /** How many bytes before `offset` came along because the server does not do ranges, and are thrown away. */
  readonly skippedBytes: number;
  /** Exactly the bytes from `offset` to the end, or an HttpError. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Sends the request, looks at the head of the answer, and gives the body. Throws HttpError: 'changed' when it is not
 * the same file, 'bad-answer' for what contradicts itself, 'bad-status', and whatever HttpExchange.exchange throws; the
 * body moreover 'broken-off', 'too-slow', 'wrong-length'.
 */
export async function openHttpRange(client: HttpExchange, request: RangeRequest): Promise<RangeAnswer> {
  const {url, offset, bytes, signal} = request;
  if (offset < 0 || offset >= bytes) throw new RangeError(`byte ${offset} of ${bytes} cannot be asked for`);
  const stopped = new AbortController();
  const answer = await client.exchange(url, {
    method: 'GET',
    headers: {...headersOf(request), ...request.headers},
    signal: AbortSignal.any([signal, stopped.signal]),
  });
  try {
    const {skip, validators} = checkHead(request, answer);
    return {
      validators,
      skippedBytes: skip,
      body: cut(url, answer.body, skip, bytes - offset, signal, () => stopped.abort()),
    };
  } catch (error) {
    stopped.abort();
    throw error;
  }
}

function headersOf({offset, validators}: RangeRequest): Record<string, string> {
  // A transfer that is packed on the way has other bytes than the file.
  const headers: Record<string, string> = {'accept-encoding': 'identity'};
  if (offset === 0) return headers;
  headers['range'] = `bytes=${offset}-`;
  const condition = validators === null ? null : ifRangeOf(validators);
  if (condition !== null) headers['if-range'] = condition;
  return headers;
}

function checkHead(request: RangeRequest, answer: HttpAnswer): {skip: number; validators: Validators} {
  const {url, offset, bytes} = request;
  const {status, headers} = answer;
  if (status !== 200 && status !== 206) throw refusal(request, answer);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new HttpError('bad-answer', `${url} came packed as ${encoding}, unasked`);
  const validators = {etag: parseEtag(headers['etag']), lastModified: headers['last-modified'] ?? null};
  checkSame(request, validators);
  const announced = headers['content-length'];
  if (announced !== undefined && !/^\d{1,15}$/.test(announced))
    throw new HttpError(
      'bad-answer',
      `${url} announces a length of ${JSON.stringify(announced.slice(0, 40))}`,
    );
  const length = announced === undefined ? null : Number(announced);
  if (status === 200) {
    // The whole file, though a part was asked for. Reading past the beginning costs what starting anew would.
    if (length !== null && length !== bytes) throw changedLength(url, length, bytes);
    return {skip: offset, validators};
  }
  if (offset === 0) throw new HttpError('bad-answer', `${url} answered 206 though no range was asked for`);
  const found = parseContentRange(headers['content-range']);
  if (found?.range === null || found === null)
    throw new HttpError(
      'bad-answer',
      `${url} answered 206 with Content-Range ${JSON.stringify(headers['content-range'] ?? null)}`,
    );
  if (found.total !== null && found.total !== bytes) throw changedLength(url, found.total, bytes);
  const {first, last} = found.range;
  if (first !== offset || last !== bytes - 1)
    throw new HttpError(
      'bad-answer',
      `${url} answered with bytes ${first} to ${last}, not ${offset} to ${bytes - 1}`,
    );
  if (length !== null && length !== bytes - offset)
    throw new HttpError('bad-answer', `${url} announces ${length} bytes for a range of ${bytes - offset}`);
  return {skip: 0, validators};
}

/** Whether the answer can be of the file whose beginning we have. */
function checkSame({url, offset, validators: before}: RangeRequest, now: Validators): void {
  if (before === null || offset === 0) return;
  const difference = differenceOf(before, now);
  if (difference !== null)
    throw new HttpError('changed', `${url} is another file than before: ${difference}`);
}

function changedLength(url: string, got: number, expected: number): HttpError {
  return new HttpError('changed', `${url} is another file: ${got} bytes long, expected ${expected}`);
}

function refusal({url, offset, bytes}: RangeRequest, {status, headers}: HttpAnswer): HttpError {
  if (status === 416) {
    const total = parseContentRange(headers['content-range'])?.total ?? null;
    return total !== null && total !== bytes
      ? changedLength(url, total, bytes)
      : new HttpError('bad-answer', `${url} has no byte ${offset}, it says (416)`, {status});
  }
  // The last answer of a chain that was given up.
  if ([301, 302, 303, 307, 308].includes(status)) return endlessRedirection(url);
  return new HttpError('bad-status', `${url} answered ${status}`, {status});
}

/** Drops `skip` bytes, then gives exactly `bytes`. */
async function* cut(
  url: string,
  body: AsyncIterable<Uint8Array>,
  skip: number,
  bytes: number,
  signal: AbortSignal,
  stop: () => void,
): AsyncGenerator<Uint8Array> {
  let toSkip = skip;
  let left = bytes;
  try {
    for await (const chunk of body) {
      signal.throwIfAborted();
      const wanted = chunk.subarray(Math.min(toSkip, chunk.length));
      toSkip -= chunk.length - wanted.length;
      if (wanted.length > left)
        throw new HttpError(
          'wrong-length',
          `${url} goes on after the ${bytes + skip} bytes that were expected`,
        );
      left -= wanted.length;
      if (wanted.length > 0) yield wanted;
    }
    if (left > 0) throw new HttpError('broken-off', `${url} ended ${left} bytes before its end`);
  } finally {
    stop();
  }
}
