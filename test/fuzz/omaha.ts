/**
 * Omaha documents: whatever comes in, a value or an OmahaError comes out, and a value means the same when it is written
 * and read again. Besides bytes, whole words of the language are put where they do not belong.
 */
import {isDeepStrictEqual} from 'node:util';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {readOutcome} from '../../formats/omaha/offer.ts';
import {decodeRequest, encodeRequest} from '../../formats/omaha/request.ts';
import {decodeResponse, encodeResponse} from '../../formats/omaha/response.ts';
import {STOCK_ANSWER, STOCK_APP, STOCK_REQUEST} from '../fixtures/omaha-documents.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const WORDS = [
  ...[
    '<',
    '>',
    '</',
    '/>',
    '"',
    "'",
    '&',
    '&amp;',
    '&#x10FFFF;',
    '&#0;',
    '&a;',
    '=',
    '<!--',
    '-->',
    '<?',
    '?>',
  ],
  ...[
    '<![CDATA[',
    ']]>',
    '<!DOCTYPE a [<!ENTITY b "c">]>',
    '<a>',
    '</a>',
    '<app appid="x"/>',
    ' __proto__="1"',
  ],
  ...[
    '<constructor/>',
    'size="-1"',
    'size="9007199254740993"',
    '\u0000',
    '\ufeff',
    '\u2028',
    '<updatecheck/>',
  ],
];

export const omahaTarget: FuzzTarget = {
  name: 'omaha',
  what: 'requests and answers of the update protocol',
  prepare() {
    const [request, answer] = [STOCK_REQUEST, STOCK_ANSWER].map((text) => Buffer.from(text));
    if (request === undefined || answer === undefined) throw new Error('two documents');
    return Promise.resolve((random: Random) => {
      requestAgain(change(request, random));
      answerAgain(change(answer, random));
    });
  },
};

function change(document: Buffer, random: Random): Buffer {
  let bytes = random.below(2) === 0 ? mutate(document, random) : document;
  for (let left = random.below(4); left > 0; left -= 1) {
    const at = random.below(bytes.length + 1);
    const end = at + random.below(20);
    const word = Buffer.from(WORDS[random.below(WORDS.length)] ?? '');
    bytes = Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(end)]);
  }
  return bytes;
}

function requestAgain(bytes: Buffer): void {
  const request = orRefusal(() => decodeRequest(bytes));
  if (request !== null && !isDeepStrictEqual(decodeRequest(encodeRequest(request)), request))
    throw new Error('the request changes when it is written and read again');
}

function answerAgain(bytes: Buffer): void {
  const answer = orRefusal(() => decodeResponse(bytes));
  if (answer === null) return;
  if (!isDeepStrictEqual(decodeResponse(encodeResponse(answer)), answer))
    throw new Error('the answer changes when it is written and read again');
  const offer = orRefusal(() => readOutcome(answer, STOCK_APP))?.offer;
  if (offer === undefined || offer === null) return;
  const isSound =
    offer.bytes > 0 &&
    /^[0-9a-f]{64}$/.test(offer.sha256) &&
    offer.urls.length > 0 &&
    offer.urls.every((url) => /^https?:\/\//.test(url));
  if (!isSound) throw new Error(`an offer that is none: ${JSON.stringify(offer)}`);
}

function orRefusal<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof OmahaError) return null;
    throw error;
  }
}
