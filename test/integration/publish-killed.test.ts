/**
 * `caisson server` is killed at many moments of a publication, and after each one the channel points to the old release
 * or to the new one, whose payload is whole; what was left behind, the next publication goes on with.
 */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Remote, createRemote} from '../../cli/remote/client.ts';
import {uploadPayload} from '../../cli/remote/upload.ts';
import {createHttpClient} from '../../platform/http.ts';
import {readDocuments} from '../../server/publish/documents.ts';
import {TEST_KEY} from '../support/payload.ts';
import {type TestPostgres, startPostgres} from '../support/postgres.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const {signal} = new AbortController();
const [OLD, NEW] = ['1.0.0', '1.1.0'];
/** 16 MB: four pieces and more. */
const BLOCKS = 4096;

/** How many for each kind of database; more with `npm run test:all`. */
const KILLS = Number(process.env['CAISSON_PUBLISH_KILLS'] ?? 2);
const MOMENTS = Array.from({length: KILLS}, (_, index) => (index + 0.5) / KILLS);

let built = '';
let postgres: TestPostgres;
const http = createHttpClient();

async function publish(remote: Remote, version: string): Promise<void> {
  const directory = join(built, version);
  const path = join(directory, 'payload/update.payload');
  const payload = await readFile(path);
  const sha256 = createHash('sha256').update(payload).digest('hex');
  const documents = await readDocuments(directory);
  const body = {sha256, bytes: payload.length, ...documents};
  const submit = (): Promise<{readonly status: number}> =>
    remote.ask({method: 'PUT', path: `releases/${version}`, body});
  await submit().catch(() => undefined);
  await uploadPayload(remote, {path, sha256, bytes: payload.length}, {signal, onBytes: () => undefined});
  while ((await submit()).status !== 200);
  await remote.ask({method: 'PUT', path: 'channels/alpha', body: {version}});
}

const remoteOf = ({url, token}: ServerProcess): Remote => createRemote(http, {url, token, signal});

/** What hosts of the channel would get. */
async function requireSound(server: ServerProcess): Promise<string> {
  const [, value] = await server.call('GET', 'channels/alpha');
  const version = (value as {version: string}).version;
  const [, release] = await server.call('GET', `releases/${version}`);
  const {sha256} = release as {sha256: string};
  const answer = await fetch(`${server.url}/payloads/${sha256}/update.payload`);
  const found = createHash('sha256').update(Buffer.from(await answer.arrayBuffer()));
  assert.equal(found.digest('hex'), sha256, `${version} is not whole`);
  return version;
}

function survives(
  kind: string,
  databaseUrl: () => Promise<string | undefined>,
  moments: readonly number[],
): void {
  describe(`a publication, with ${kind}`, () => {
    it('is there or not, whenever the server is killed', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'killed-'));
      const url = await databaseUrl();
      const options = {dir, ...(url === undefined ? {} : {databaseUrl: url})};
      let server = await startServerProcess(options);
      try {
        await publish(remoteOf(server), OLD);
        assert.equal(await requireSound(server), OLD);
        const startedAt = performance.now();
        await publish(remoteOf(server), NEW);
        const wholeMs = performance.now() - startedAt;
        const outcomes: string[] = [];
        for (const moment of moments) {
          // Back to where it was, the release that is to come unknown.
          await server.call('PUT', 'channels/alpha', {version: OLD, allowDowngrade: true});
          await server.call('DELETE', `releases/${NEW}`);
          const publishing = publish(remoteOf(server), NEW).then(
            () => 'published',
            () => 'broken off',
          );
          await Promise.race([publishing, sleep(moment * wholeMs)]);
          await server.stop('SIGKILL');
          await publishing;
          server = await startServerProcess(options);
          outcomes.push(await requireSound(server));
          // What is left of it is gone on with.
          await publish(remoteOf(server), NEW);
          assert.equal(await requireSound(server), NEW);
        }
        assert.ok(outcomes.includes(OLD), outcomes.join());
        const left = await readdir(join(dir, 'server/payloads'));
        assert.deepEqual(
          left.filter((name) => !name.endsWith('.payload')),
          [],
        );
      } finally {
        await server.stop('SIGKILL');
        await rm(dir, {recursive: true, force: true});
      }
    });
  });
}

before(async () => {
  built = await mkdtemp(join(tmpdir(), 'built-'));
  postgres = await startPostgres();
  for (const version of [OLD, NEW])
    await addRelease(built, version, samplePayload(version, BLOCKS), [TEST_KEY.privateKey]);
});
after(async () => {
  await http.close();
  await postgres.stop();
  await rm(built, {recursive: true, force: true});
});

survives('the embedded database', () => Promise.resolve(undefined), MOMENTS);
survives('PostgreSQL', () => postgres.createDatabase('killed'), MOMENTS);
