/** Payloads that lie elsewhere as well: hosts are told of mirrors, or sent to one. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {tellServer} from '../support/fleet-client.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const PAYLOAD = samplePayload('1.1.0', 16);
const POLICY = {pace: 'at once', halt: {failed: null, rolledBack: null, lost: null, together: null}};

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mirrors-'));
});
afterEach(() => rm(dir, {recursive: true, force: true}));

async function withServer(
  name: string,
  args: readonly string[],
  use: (server: ServerProcess, codebases: readonly URL[]) => Promise<void>,
): Promise<void> {
  const folder = join(dir, name);
  await mkdir(folder);
  await addRelease(folder, '1.1.0', PAYLOAD);
  const server = await startServerProcess({dir: folder, args});
  try {
    await server.call('PUT', 'groups/stable', {channel: 'stable', policy: POLICY});
    await server.call('PUT', 'channels/stable', {version: '1.1.0'});
    const told = await tellServer(server.url, 'first');
    assert.ok(typeof told !== 'number');
    await use(
      server,
      (told.updateCheck?.codebases ?? []).map((codebase) => new URL(codebase)),
    );
  } finally {
    await server.stop('SIGTERM');
  }
}

describe('caisson server', () => {
  it('names mirrors first, in their order, and then itself', async () => {
    const mirrors = ['--mirror', 'https://one.example/caisson/', '--mirror', 'http://two.example'];
    await withServer('server', mirrors, async (server, codebases) => {
      const path = codebases.at(-1)?.pathname ?? '';
      assert.match(path, /^\/payloads\/[0-9a-f]{64}\/$/);
      assert.deepEqual(
        codebases.map(({href}) => href),
        [`https://one.example/caisson${path}`, `http://two.example${path}`, `${server.url}${path}`],
      );
      const own = await fetch(new URL('update.payload', codebases.at(-1)), {redirect: 'manual'});
      assert.equal(own.status, 200);
      await own.body?.cancel();
    });
  });

  it('sends who asks for a payload to where --redirect says, and nobody for what it does not know', async () => {
    await withServer('mirror', [], async (mirror) => {
      await withServer('server', ['--redirect', `${mirror.url}/`], async (server, codebases) => {
        const url = new URL('update.payload', codebases[0]);
        assert.equal(url.origin, server.url);
        const sent = await fetch(url, {redirect: 'manual'});
        assert.deepEqual([sent.status, sent.headers.get('location')], [302, `${mirror.url}${url.pathname}`]);
        const part = await fetch(url, {headers: {range: 'bytes=0-3'}});
        assert.deepEqual([part.status, await part.text()], [206, 'CrAU']);
        const unknown = url.href.replace(/[0-9a-f]{64}/, '0'.repeat(64));
        assert.equal((await fetch(unknown, {redirect: 'manual'})).status, 404);
      });
    });
  });
});
