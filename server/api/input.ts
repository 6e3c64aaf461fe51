/** What callers of the API send, read strictly. */
import {CodedError} from '../../formats/errors.ts';
import {describeIssues, type z} from '../../formats/schema.ts';

export class ApiError extends CodedError<'bad-request'> {}

/** Throws ApiError. */
export function readBody<T>(body: Uint8Array, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (error) {
    throw new ApiError('bad-request', `the request is not JSON: ${(error as Error).message}`, {cause: error});
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new ApiError('bad-request', describeIssues(result.error));
  return result.data;
}

export interface Page {
  readonly limit: number;
  /** What the page is after; empty for the first. */
  readonly after: string;
}

const MAX_LIMIT = 1000;

/** `limit` and `after` of a list that comes in pages. Throws ApiError. */
export function readPage(query: URLSearchParams): Page {
  const text = query.get('limit') ?? '100';
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT)
    throw new ApiError('bad-request', `limit is ${text}, expected 1 to ${MAX_LIMIT}`);
  return {limit, after: query.get('after') ?? ''};
}

/** Throws ApiError for a parameter that is none of the names. */
export function requireKnown(query: URLSearchParams, names: readonly string[]): void {
  const other = [...query.keys()].find((name) => !names.includes(name));
  if (other !== undefined)
    throw new ApiError('bad-request', `there is no parameter ${other}; there are ${names.join(', ')}`);
}
