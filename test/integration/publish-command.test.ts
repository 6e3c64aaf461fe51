/** The commands that speak to a release server, against a real one: publish, promote, look, withdraw, remove. */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {createHttpClient} from '../../platform/http.ts';
import {type CheckResult, checkForUpdate, reportEvent} from '../../update-engine/omaha/client.ts';
import {OTHER_KEY, TEST_KEY} from '../support/payload.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';
import {ROOT_DIR} from '../support/sources.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const http = createHttpClient();
const {signal} = new AbortController();
const KEYS = [TEST_KEY.privateKey];
const MACHINE = '0'.repeat(32);

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let dir = '';
let built = '';
let server: ServerProcess;

async function caisson(...args: readonly string[]): Promise<Said> {
  const env = {CAISSON_SERVER_URL: server.url, CAISSON_TOKEN: server.token};
  const {exitCode, stdout, stderr} = await exec([join(ROOT_DIR, 'caisson'), ...args], {
    env,
    okCodes: [0, 1, 2],
  });
  return {code: exitCode, out: stdout, err: stderr};
}
const release = (version: string): string => join(built, version);
const publish = (version: string, ...rest: readonly string[]): Promise<Said> =>
  caisson('publish', release(version), '--key', join(dir, 'mine.pub.pem'), ...rest);
const host = {
  ...{version: '1.0.0', alephVersion: '1.0.0', group: 'alpha', machineId: MACHINE, machineAlias: 'rack 4'},
  ...{bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566', oem: {id: 'qemu', version: ''}},
};
const check = (): Promise<CheckResult> =>
  checkForUpdate({http, url: `${server.url}/v1/update/`}, host, {
    ...{by: 'timer', targetVersionPrefix: '', events: [], signal},
  });

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'publish-'));
  built = await mkdtemp(join(tmpdir(), 'built-'));
  server = await startServerProcess({dir});
  for (const version of ['1.1.0', '1.2.0'])
    await addRelease(built, version, samplePayload(version, 2048), KEYS);
  await addRelease(built, '1.3.0', samplePayload('1.3.0'), [OTHER_KEY.privateKey]);
  await addRelease(built, '1.4.0', samplePayload('1.4.0'));
  await addRelease(built, '1.5.0', samplePayload('1.5.0', 16, [OTHER_KEY.privateKey]), KEYS);
  await addRelease(built, '1.6.0', samplePayload('1.5.0'), KEYS);
});
after(async () => {
  await server.stop('SIGKILL');
  await http.close();
  for (const each of [dir, built]) await rm(each, {recursive: true, force: true});
});

describe('commands to a release server', () => {
  it('publish a release, and say when it was there already', async () => {
    await server.call('PUT', 'groups/alpha', {channel: 'alpha', policy: {pace: 'at once'}});
    await writeFile(join(dir, 'notes.txt'), 'Boots again.\n');
    const first = await publish('1.1.0', '--channel', 'alpha', '--notes', join(dir, 'notes.txt'), '--json');
    assert.equal(first.code, 0, first.err);
    const made = JSON.parse(first.out) as {isNew: boolean; sha256: string; signedBy: string};
    const bytes = await readFile(join(release('1.1.0'), 'payload/update.payload'));
    assert.deepEqual(
      [made.isNew, made.sha256, made.signedBy],
      [true, createHash('sha256').update(bytes).digest('hex'), 'mine'],
    );
    const again = await publish('1.1.0');
    assert.match(again.out, /1\.1\.0 is there already/);
    const offered = await check();
    assert.ok(offered.kind === 'offered' && offered.offer.version === '1.1.0');
    const payload = await fetch(offered.offer.urls[0] ?? '');
    assert.deepEqual(Buffer.from(await payload.arrayBuffer()), bytes);
    const notes = await fetch(`${server.url}/api/v1/releases/1.1.0/documents/notes`, {
      headers: {authorization: `Bearer ${server.token}`},
    });
    assert.equal(await notes.text(), 'Boots again.\n');
    // Nothing of the folder was needed for it.
    assert.deepEqual((await readdir(dir)).includes('1.1.0'), false);
  });

  it('refuse what hosts would refuse, before anything is sent', async () => {
    const cases: [string, RegExp][] = [
      ['1.3.0', /release\.json of release 1\.3\.0 is not signed by a trusted key: mine/],
      ['1.4.0', /release\.json of release 1\.4\.0 is not signed\nhint: .*caisson release sign 1\.4\.0/],
      ['1.5.0', /payload of release 1\.5\.0 is not signed by the key mine/],
      ['1.6.0', /is for caisson\/x86-64\/1\.5\.0, not caisson\/x86-64\/1\.6\.0/],
    ];
    for (const [version, message] of cases) {
      const {code, err} = await publish(version, '--channel', 'beta');
      assert.equal(code, 1, version);
      assert.match(err, message);
    }
    assert.deepEqual((await server.call('GET', 'channels/beta'))[1], {
      ...{name: 'beta', version: null, allowDowngrade: false, promotedAt: 0},
    });
  });

  it('refuse other bytes under a version that was published', async () => {
    const other = join(built, 'other');
    await addRelease(other, '1.1.0', samplePayload('1.1.0'), KEYS);
    const {code, err} = await caisson('publish', join(other, '1.1.0'), '--key', join(dir, 'mine.pub.pem'));
    assert.equal(code, 1);
    assert.match(err, /release 1\.1\.0 is published with SHA-256 .*\nhint: a version is published once/);
  });

  it('promote the same bytes from channel to channel, and go back only when told', async () => {
    assert.match((await caisson('channel', 'promote', 'alpha', 'beta')).out, /^beta is at 1\.1\.0 now/);
    assert.equal((await publish('1.2.0', '--channel', 'alpha')).code, 0);
    const back = await caisson('channel', 'promote', 'beta', 'alpha');
    assert.equal(back.code, 1);
    assert.match(back.err, /alpha is at 1\.2\.0, and 1\.1\.0 is older/);
    assert.match((await caisson('channel', 'history', 'alpha')).out, /1\.2\.0 +admin[^]*1\.1\.0 +admin/);
    assert.match((await caisson('channel', 'list')).out, /alpha +1\.2\.0 +since/);
    assert.equal((await caisson('channel', 'promote', 'stable', 'beta')).code, 1);
    assert.match(
      (await caisson('channel', 'show', 'edge')).err,
      /no channel edge\nhint: there are alpha, beta, stable/,
    );
    assert.equal((await caisson('channel', 'add', 'edge')).code, 0);
  });

  it('steer groups, and say what is wrong with a policy', async () => {
    const added = await caisson('group', 'add', 'lab', '--channel', 'edge', '--pace', '20 every 30m');
    assert.match(added.out, /GROUP=lab/);
    assert.match((await caisson('group', 'set', 'lab', '--pace', 'soon')).err, /pace/);
    assert.equal((await caisson('group', 'set', 'lab', '--in-flight', '5')).code, 0);
    const [, shown] = await server.call('GET', 'groups/lab');
    assert.deepEqual((shown as {policy: unknown}).policy, {pace: '20 every 30m', inFlight: 5});
    assert.equal((await caisson('group', 'pause', 'lab', '--reason', 'audit')).code, 0);
    assert.match((await caisson('group', 'show', 'lab')).out, /paused +audit \(admin\), since/);
    assert.match((await caisson('group', 'list')).out, /lab +edge +- .*paused: audit/);
    assert.equal((await caisson('group', 'resume', 'lab')).code, 0);
    assert.match((await caisson('group', 'remove', 'lab')).out, /lab is removed, with 0 machines/);
    assert.match((await caisson('group', 'show', 'lab')).err, /no group lab/);
  });

  it('find machines, tell their past in words, and forget them', async () => {
    const failed = {type: 3, result: 0, errorCode: 10, previousVersion: null};
    await reportEvent({http, url: `${server.url}/v1/update/`}, host, failed, signal);
    assert.match(
      (await caisson('instance', 'list', '--search', 'RACK')).out,
      new RegExp(`${MACHINE}  rack 4  alpha`),
    );
    assert.match((await caisson('instance', 'list', '--group', 'beta')).out, /no such machine/);
    assert.match((await caisson('instance', 'list', '--silent-for', 'long')).err, /no duration/);
    const {out} = await caisson('instance', 'show', MACHINE);
    assert.match(out, /update failed: PAYLOAD_HASH_MISMATCH[^]*was granted 1\.1\.0/);
    assert.equal((await caisson('instance', 'forget', MACHINE)).code, 0);
    assert.match((await caisson('instance', 'show', MACHINE)).err, /there is no machine/);
  });

  it('withdraw a release, and remove one that no channel points to', async () => {
    assert.equal((await caisson('release', 'withdraw', '1.2.0', '--reason', 'no network')).code, 0);
    assert.equal((await check()).kind, 'nothing');
    assert.match((await caisson('release', 'list')).out, /1\.2\.0 .* withdrawn: no network \(admin\)/);
    assert.match((await caisson('channel', 'promote', '1.2.0', 'beta')).err, /was withdrawn: no network/);
    assert.match((await caisson('release', 'remove', '1.2.0')).err, /what alpha points to/);
    assert.equal((await caisson('release', 'restore', '1.2.0')).code, 0);
    assert.equal((await check()).kind, 'offered');
    assert.equal((await caisson('release', 'withdraw', '1.2.0', '--reason', 'no network')).code, 0);
    assert.equal((await caisson('channel', 'promote', '1.1.0', 'alpha', '--allow-downgrade')).code, 0);
    assert.equal((await caisson('release', 'remove', '1.2.0')).code, 0);
    assert.equal((await readdir(join(dir, 'server/payloads'))).length, 1);
    // A version never means other bytes, and the same may come back.
    assert.equal((await publish('1.2.0')).code, 0);
  });

  it('make tokens, which may what their role may, until they are revoked', async () => {
    const {out, err} = await caisson('token', 'add', 'ci', '--role', 'read');
    assert.match(err, /shown this once/);
    const file = join(dir, 'ci.token');
    await writeFile(file, out);
    const asCi = (...args: readonly string[]): Promise<Said> => caisson(...args, '--token-file', file);
    assert.equal((await asCi('channel', 'list')).code, 0);
    assert.match(
      (await asCi('channel', 'promote', '1.1.0', 'beta')).err,
      /role publish is needed.*\nhint: .*token add/,
    );
    assert.match((await caisson('token', 'list')).out, /ci +read/);
    assert.match((await caisson('token', 'revoke', 'admin')).err, /does not revoke itself/);
    assert.equal((await caisson('token', 'revoke', 'ci')).code, 0);
    assert.match((await asCi('channel', 'list')).err, /token is needed\nhint: the token is unknown/);
  });
});
