/** What is asked and answered on the two sockets; docs/update-api.md is for those who speak it from elsewhere. */
import {CodedError} from '../../formats/errors.ts';
import {z} from '../../formats/schema.ts';
import {isVersion} from '../../formats/version.ts';

export type ApiErrorKind =
  | 'bad-request'
  | 'not-found'
  | 'method'
  /** Something is under way that must not be disturbed. */
  | 'busy'
  /** It would be possible at another time, or after something else. */
  | 'refused'
  | 'failed';

/** An answer that is none: `kind` for programs, the message for people. */
export class ApiError extends CodedError<ApiErrorKind> {}

export const HTTP_STATUS_OF = {
  'bad-request': 400,
  'not-found': 404,
  method: 405,
  busy: 409,
  refused: 409,
  failed: 500,
} as const satisfies Record<ApiErrorKind, number>;

export const errorSchema = z.object({
  error: z.object({
    kind: z.string().max(64),
    message: z.string().max(8192),
    hint: z.string().max(8192).nullable(),
  }),
});

const version = z.string().max(128).refine(isVersion, 'is no version');

export const checkRequestSchema = z.strictObject({});
export const updateRequestSchema = z
  .strictObject({
    version: version.optional(),
    /** Absolute path of a payload, as the engine sees it. */
    payload: z.string().max(4096).startsWith('/').optional(),
  })
  .refine((request) => request.version === undefined || request.payload === undefined, {
    message: 'version and payload exclude each other',
  });
export const rollbackRequestSchema = z.strictObject({});
/** `now`: of all conditions only the lock counts. */
export const rebootRequestSchema = z.strictObject({now: z.boolean().optional()});
export const resetRequestSchema = z.strictObject({});
export const markGoodRequestSchema = z.strictObject({});
export const forgetChannelRequestSchema = z.strictObject({});
export const denyAddRequestSchema = z.strictObject({version, reason: z.string().min(1).max(1000)});
export const denyRemoveRequestSchema = z.strictObject({version});

/** What a change came to, in a sentence. */
export const doneSchema = z.object({message: z.string().max(8192)});
export type Done = z.infer<typeof doneSchema>;

/** A status holds at most a thousand denied versions of a few KiB each. */
export const MAX_ANSWER_BYTES = 8 << 20;
export const MAX_REQUEST_BYTES = 64 << 10;
/** The longest that the server keeps a question for a change waiting. */
export const MAX_WAIT_SECONDS = 30;
