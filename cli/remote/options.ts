/** What all commands that speak to a release server have in common: where it is, and who asks. */
import {readFile} from 'node:fs/promises';
import type {Options} from 'yargs';
import {CodedError} from '../../formats/errors.ts';
import {formatMinute} from '../../formats/units.ts';
import {createHttpClient} from '../../platform/http.ts';
import {type Remote, RemoteError, createRemote} from './client.ts';

export class RemoteUsageError extends CodedError<'usage'> {}

const SERVER_VARIABLE = 'CAISSON_SERVER_URL';
const TOKEN_VARIABLE = 'CAISSON_TOKEN';
const DEFAULT_SERVER = 'http://127.0.0.1:8000';

export const REMOTE_OPTIONS = {
  server: {
    type: 'string',
    defaultDescription: `${SERVER_VARIABLE}, or ${DEFAULT_SERVER}`,
    describe: 'Address of the release server',
  },
  'token-file': {
    type: 'string',
    defaultDescription: TOKEN_VARIABLE,
    describe: 'File with the token that says who asks; the first one is admin.token in the folder of --data',
  },
  json: {type: 'boolean', default: false, describe: 'Print JSON'},
} as const satisfies Record<string, Options>;

export interface RemoteArguments {
  server?: string;
  'token-file'?: string;
  json: boolean;
}

/** A token has 68 characters. */
const MAX_TOKEN_BYTES = 1000;
/** A server that checks a payload of gigabytes answers that it is still at it well before. */
const STALL_TIMEOUT_MS = 120_000;

/** Throws RemoteUsageError and RemoteError 'no-token', and what `use` throws. */
export async function withRemote<T>(
  argv: RemoteArguments,
  signal: AbortSignal,
  use: (remote: Remote) => Promise<T>,
): Promise<T> {
  const url = argv.server ?? process.env[SERVER_VARIABLE] ?? DEFAULT_SERVER;
  if (!URL.canParse(url) || !/^https?:/.test(url) || /[?#]/.test(url))
    throw new RemoteUsageError('usage', `--server ${url} is no http or https address`);
  const token = await readToken(argv['token-file']);
  const http = createHttpClient({stallTimeoutMs: STALL_TIMEOUT_MS});
  try {
    return await use(createRemote(http, {url, token, signal}));
  } finally {
    await http.close();
  }
}

async function readToken(path: string | undefined): Promise<string> {
  const text = path === undefined ? (process.env[TOKEN_VARIABLE] ?? '') : await readFile(path, 'utf8');
  const token = text.trim();
  const from = path ?? TOKEN_VARIABLE;
  if (token === '')
    throw new RemoteError('no-token', `there is no token in ${from}`, {
      hint: `name a file with --token-file, or set ${TOKEN_VARIABLE}; the first token of a server is in admin.token in the folder of its --data`,
    });
  if (token.length > MAX_TOKEN_BYTES || /\s/.test(token))
    throw new RemoteError('no-token', `what is in ${from} is no token`);
  return token;
}

/** A line each, or JSON. */
export function print(isJson: boolean, value: unknown, lines: readonly string[]): void {
  process.stdout.write(`${isJson ? JSON.stringify(value, undefined, 2) : lines.join('\n')}\n`);
}

/** `2026-01-05 10:00 UTC`. */
export function formatTime(at: number): string {
  return `${formatMinute(at)} UTC`;
}
