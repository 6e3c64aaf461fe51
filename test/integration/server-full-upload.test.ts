/** Uploads onto a disk that is full before, or in the middle: the server serves on, and goes on when there is room. */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {exec, type ExecResult} from '../../platform/exec.ts';
import {type Filling, openFilling} from '../support/full-disk.ts';
import {TEST_KEY} from '../support/payload.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';
import {ROOT_DIR} from '../support/sources.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const skip = process.getuid?.() === 0 ? false : 'mounting a small disk needs root';
/** Room for a database and payloads beside the 256 MiB that a server leaves free. */
const DATA_MEBIBYTES = 450;
const PAYLOAD_BLOCKS = 3000;
const NO_ROOM = 507;

describe('an upload', {skip}, () => {
  let [dir, built] = ['', ''];
  let server: ServerProcess;
  let disk: Filling;
  let payload: Buffer;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'full-'));
    built = await mkdtemp(join(tmpdir(), 'built-'));
    payload = samplePayload('1.1.0', PAYLOAD_BLOCKS);
    await addRelease(built, '1.1.0', payload, [TEST_KEY.privateKey]);
    const small = `mkdir -p "$0" && mount -t tmpfs -o size=${DATA_MEBIBYTES}m tmpfs "$0" && exec "$@"`;
    const data = join(dir, 'server');
    server = await startServerProcess({
      dir,
      wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', small, data],
    });
    disk = await openFilling(`/proc/${server.pid}/root${data}/filling`);
  });
  after(async () => {
    await disk.close();
    await server.stop('SIGKILL');
    for (const each of [dir, built]) await rm(each, {recursive: true, force: true});
  });

  const publish = (): Promise<ExecResult> =>
    exec([join(ROOT_DIR, 'caisson'), 'publish', join(built, '1.1.0'), '--key', join(dir, 'mine.pub.pem')], {
      env: {CAISSON_SERVER_URL: server.url, CAISSON_TOKEN: server.token},
      okCodes: [0, 1],
    });

  it('is refused with what is missing when the disk is too full for it', async () => {
    await disk.fill(64 << 20);
    const {exitCode, stderr} = await publish();
    assert.equal(exitCode, 1);
    assert.match(stderr, /there is no room for 12\.\d MB more: .* MB are free in .* have to stay so/);
    assert.match(stderr, /hint: make room on the disk of the server/);
    await disk.empty();
  });

  it('that fills the disk is given up, and the room with it; the next one goes through', async () => {
    const sha256 = createHash('sha256').update(payload).digest('hex');
    const half = payload.length >> 1;
    async function* halves(): AsyncGenerator<Uint8Array> {
      yield payload.subarray(0, half);
      await disk.fill();
      yield payload.subarray(half);
    }
    const answer = await fetch(`${server.url}/api/v1/uploads/${sha256}?offset=0&bytes=${payload.length}`, {
      ...{method: 'PUT', headers: {authorization: `Bearer ${server.token}`}, duplex: 'half'},
      body: ReadableStream.from(halves()),
    });
    assert.equal(answer.status, NO_ROOM);
    assert.match(await answer.text(), /the disk was full after [\d.]+ MB of 12\.\d MB/);
    const [, {received}] = (await server.call('GET', `uploads/${sha256}`)) as [number, {received: number}];
    assert.equal(received, 0);
    await disk.empty();
    const {exitCode, stderr} = await publish();
    assert.equal(exitCode, 0, stderr);
    const stored = `/proc/${server.pid}/root${join(dir, 'server/payloads')}/${sha256}.payload`;
    assert.deepEqual(await readFile(stored), payload);
  });
});
