/** One payload as an HTTP answer. Its address holds its hash, so whoever has it may keep it for good. */
import {open} from 'node:fs/promises';
import {
  type Representation,
  type RequestHeaders,
  formatHttpDate,
  selectFromFile,
} from '../formats/http-conditions.ts';
import type {ServerAnswer} from '../platform/http-server-answer.ts';
import {identityOf} from './releases.ts';

/** A payload on the disk. */
export interface PayloadFile {
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Of the file that was hashed. */
  readonly identity: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

const CHUNK_BYTES = 256 * 1024;
const ONE_YEAR_SECONDS = 31_536_000;

export function answerPayload(release: PayloadFile, headers: RequestHeaders): ServerAnswer {
  const {bytes, sha256, modifiedAt} = release;
  const file: Representation = {bytes, etag: `"${sha256}"`, modifiedAt};
  const selection = selectFromFile(headers, file);
  const always = {
    etag: file.etag,
    'last-modified': formatHttpDate(modifiedAt),
    'accept-ranges': 'bytes',
    'cache-control': `public, max-age=${ONE_YEAR_SECONDS}, immutable`,
  };
  const empty = new Uint8Array();
  switch (selection.kind) {
    case 'not-modified':
      return {status: 304, headers: always, body: empty};
    case 'precondition-failed':
      return {status: 412, headers: {etag: file.etag}, body: empty};
    case 'unsatisfiable':
      return {status: 416, headers: {'content-range': `bytes */${bytes}`}, body: empty};
    case 'part': {
      const {first, last} = selection;
      const range = {'content-range': `bytes ${first}-${last}/${bytes}`};
      return {status: 206, headers: {...always, ...OCTETS, ...range}, body: bodyOf(release, first, last)};
    }
    case 'whole':
      return {status: 200, headers: {...always, ...OCTETS}, body: bodyOf(release, 0, bytes - 1)};
  }
}

const OCTETS = {'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff'} as const;

function bodyOf(release: PayloadFile, first: number, last: number): ServerAnswer['body'] {
  return {bytes: last - first + 1, open: () => read(release, first, last)};
}

async function* read({path, identity}: PayloadFile, first: number, last: number): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    // Bytes of another file under this one's hash would cost every host a download.
    if ((await identityOf(file)) !== identity)
      throw new Error(`${path} was replaced while it is being served`);
    for await (const chunk of file.createReadStream({
      start: first,
      end: last,
      autoClose: false,
      highWaterMark: CHUNK_BYTES,
    }))
      yield chunk as Buffer;
  } finally {
    await file.close();
  }
}
