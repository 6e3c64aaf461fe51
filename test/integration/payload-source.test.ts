/** The download of a payload against servers that break their promises. */
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {after, before, beforeEach, describe, it} from 'node:test';
import type {Offer} from '../../formats/omaha/offer.ts';
import type {Validators} from '../../formats/http-ranges.ts';
import {HttpError} from '../../platform/http-error.ts';
import {createHttpClient} from '../../platform/http.ts';
import {payloadStateFor} from '../../update-engine/omaha/payload-policy.ts';
import {
  type PayloadSource,
  type PayloadSourceOptions,
  openPayload,
} from '../../update-engine/omaha/payload-source.ts';
import {type BadServer, type Fault, startBadServer} from '../support/bad-server.ts';
import {fc} from '../support/property.ts';

const CONTENT = randomBytes(3_000_000);
for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const http = createHttpClient({stallTimeoutMs: 300, minBytesPerSecond: 100_000});
const {signal} = new AbortController();
let first: BadServer;
let second: BadServer;
let retries: string[] = [];

before(async () => {
  [first, second] = await Promise.all([startBadServer(CONTENT), startBadServer(CONTENT)]);
});
after(async () => {
  await Promise.all([http.close(), first.close(), second.close()]);
});
beforeEach(() => {
  retries = [];
  for (const server of [first, second]) {
    server.replace(CONTENT);
    server.plan();
  }
});

function source(changes: Partial<Offer> = {}, options: Partial<PayloadSourceOptions> = {}): PayloadSource {
  const offer = {
    version: '1.4.0',
    urls: [first.url, second.url],
    bytes: CONTENT.length,
    sha256: '',
    isDelta: false,
    disableBackoff: true,
    maxFailuresPerUrl: 3,
    ...changes,
  };
  return openPayload({
    http,
    offer,
    credentials: null,
    limit: null,
    state: payloadStateFor(offer, null),
    onRetry: (text) => retries.push(text),
    now: () => 0,
    random: () => 0.5,
    sleep: () => Promise.resolve(),
    ...options,
  });
}

async function read(from: PayloadSource, offset = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of from.open(offset, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('openPayload', () => {
  it('gives a payload from any place on, and nothing at its end', async () => {
    assert.ok((await read(source(), 1234)).equals(CONTENT.subarray(1234)));
    assert.equal((await read(source(), CONTENT.length)).length, 0);
    assert.deepEqual(retries, []);
  });

  it('remembers from run to run what the file was, and says when it is another one', async () => {
    const seen = new Map<string, Validators>();
    const changes: string[] = [];
    const options = {
      onSeen: (url: string, validators: Validators) => void seen.set(url, validators),
      onChanged: (text: string) => void changes.push(text),
    };
    await read(source({}, options));
    const before = first.requests.length;
    await read(source({}, {...options, before: new Map(seen)}), 5000);
    assert.equal(first.requests[before]?.headers['if-range'], seen.get(first.url)?.etag);
    assert.deepEqual(changes, []);

    first.replace(randomBytes(CONTENT.length));
    await read(source({}, {...options, before: new Map(seen)}));
    assert.match(changes.join(), /another file than before: ETag/);
    assert.equal(changes.length, 1);
  });

  it('goes on where a transfer broke off', async () => {
    first.plan({kind: 'cut', afterBytes: 100_000}, {kind: 'cut', afterBytes: 5}, {kind: 'none'});
    const patient = source();
    assert.ok((await read(patient)).equals(CONTENT));
    assert.deepEqual(
      first.requests.slice(-2).map(({headers}) => headers.range),
      ['bytes=100000-', 'bytes=100005-'],
    );
    assert.equal(retries.length, 2);
    assert.match(retries[0] ?? '', /broke off: .*; again in 1\.0 s, from http/);
    // Forgiven in the end.
    assert.equal(patient.known().urlFailures, 0);
  });

  it('goes to the next address after too many failures, and at once when the file is another', async () => {
    first.plan({kind: 'status', status: 503}, {kind: 'silent'}, {kind: 'stall', afterBytes: 10});
    const asked = second.requests.length;
    assert.ok((await read(source())).equals(CONTENT));
    assert.equal(second.requests.length, asked + 1);
    assert.equal(second.requests.at(-1)?.headers.range, 'bytes=10-');
    first.replace(CONTENT.subarray(1));
    const moved = source();
    assert.ok((await read(moved)).equals(CONTENT));
    assert.equal(moved.known().urlIndex, 1);
  });

  it('goes to the next address when what came is refused, until every one had its turn', async () => {
    const refused = source();
    assert.ok((await read(refused)).equals(CONTENT));
    const asked = second.requests.length;
    assert.equal(refused.refuse(), second.url);
    assert.ok((await read(refused)).equals(CONTENT));
    assert.equal(second.requests.length, asked + 1);
    assert.equal(refused.refuse(), null);
    assert.equal(refused.known().attempts, 1);
  });

  it('leaves a payload alone for a while that came whole', async () => {
    const whole = source();
    await read(whole);
    assert.equal(whole.known().notBefore, null);
    whole.accept();
    assert.deepEqual([whole.known().attempts, whole.known().notBefore], [1, 86_400_000]);
  });

  it('does not put parts of two files together', async () => {
    first.plan({kind: 'cut', afterBytes: 1000}, {kind: 'other-file', isHonest: false});
    assert.ok((await read(source())).equals(CONTENT));
    assert.match(retries.join('\n'), /another file than before/);
  });

  it('gives up with the last error once every address had its turn', async () => {
    for (const server of [first, second]) server.plan({kind: 'status', status: 404});
    const gone = source();
    await assert.rejects(read(gone), (error: unknown) => error instanceof HttpError && error.status === 404);
    assert.equal(gone.known().attempts, 1);
  });

  it('is not kept busy for ever by a byte now and then', async () => {
    first.plan(...Array.from({length: 50}, (): Fault => ({kind: 'cut', afterBytes: 1})));
    await assert.rejects(read(source({urls: [first.url]})), /broke off/);
    assert.equal(retries.length, 2);
  });

  it('sends no password in the clear', async () => {
    await read(source({}, {credentials: {user: 'me', password: 's3cret'}}));
    assert.equal(first.requests.at(-1)?.headers.authorization, undefined);
  });

  it('passes every chunk by the limit', async () => {
    let taken = 0;
    const limit = {
      take: (bytes: number) => {
        taken += bytes;
        return Promise.resolve();
      },
    };
    await read(source({}, {limit}));
    assert.equal(taken, CONTENT.length);
  });

  it("does not count the reader's errors against the server", async () => {
    const innocent = source();
    await assert.rejects(
      (async () => {
        for await (const chunk of innocent.open(0, signal))
          throw new Error(`disk full at ${chunk.length > 0}`);
      })(),
      /disk full/,
    );
    assert.deepEqual([innocent.known().urlFailures, innocent.known().attempts], [0, 0]);
  });

  it('stops when told to, also between two tries', async () => {
    const stopping = new AbortController();
    first.plan({kind: 'status', status: 503});
    const sleep = (_: number, stop: AbortSignal): Promise<void> => {
      stopping.abort(new Error('stopped'));
      stop.throwIfAborted();
      return Promise.resolve();
    };
    await assert.rejects(async () => {
      for await (const chunk of source({}, {sleep}).open(0, stopping.signal)) assert.ok(chunk);
    }, /^Error: stopped$/);
  });

  it('gives the right bytes or an error, whatever the servers do', {timeout: 120_000}, async () => {
    const place = fc.nat({max: CONTENT.length});
    const fault: fc.Arbitrary<Fault> = fc.oneof(
      fc.constantFrom<Fault>(
        {kind: 'no-ranges'},
        {kind: 'endless'},
        {kind: 'wrong-range'},
        {kind: 'garbled-range'},
        {kind: 'unsatisfiable'},
        {kind: 'packed'},
        {kind: 'status', status: 500},
        {kind: 'wrong-length', by: 7},
        {kind: 'wrong-length', by: -7},
        {kind: 'other-file', isHonest: true},
      ),
      place.map((afterBytes) => ({kind: 'cut', afterBytes}) as const),
      place.map((bytes) => ({kind: 'short', bytes}) as const),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, {maxLength: 8}),
        fc.array(fault, {maxLength: 4}),
        place,
        async (a, b, offset) => {
          first.plan(...a);
          second.plan(...b);
          const chunks: Uint8Array[] = [];
          try {
            for await (const chunk of source().open(offset, signal)) chunks.push(chunk);
            assert.equal(Buffer.concat(chunks).length, CONTENT.length - offset);
          } catch (error) {
            assert.ok(error instanceof HttpError, String(error));
          }
          // A file that is another from the first byte on can only be told by its hash: see the engine's tests.
          const isAsAnnounced =
            !a.some(({kind}) => kind === 'other-file') && !b.some(({kind}) => kind === 'other-file');
          const got = Buffer.concat(chunks);
          if (isAsAnnounced) assert.ok(got.equals(CONTENT.subarray(offset, offset + got.length)));
        },
      ),
      {numRuns: 40},
    );
  });
});
