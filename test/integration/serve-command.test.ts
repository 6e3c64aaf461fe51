/** `caisson promote`, `channels` and `serve` as a person runs them. */
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import type {KeyObject} from 'node:crypto';
import {once} from 'node:events';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {OTHER_KEY, TEST_KEY} from '../support/payload.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {ROOT_DIR} from '../support/sources.ts';

const dir = await mkdtemp(join(tmpdir(), 'serve-'));
after(() => rm(dir, {recursive: true}));
await addRelease(dir, '1.0.0', samplePayload('1.0.0'));
await addRelease(dir, '1.1.0', samplePayload('1.1.0'));
await addRelease(dir, '1.2.0', null);
await addRelease(dir, '1.3.0', samplePayload('1.3.0', 16, [OTHER_KEY.privateKey]));
const damaged = samplePayload('1.4.0');
damaged.writeUInt8(damaged.readUInt8(damaged.length - 10_000) ^ 1, damaged.length - 10_000);
await addRelease(dir, '1.4.0', damaged);

async function writeKey(name: string, key: KeyObject): Promise<string> {
  const path = join(dir, `${name}.pub.pem`);
  await writeFile(path, key.export({type: 'spki', format: 'pem'}));
  return path;
}
const [key, other] = [
  await writeKey('mine', TEST_KEY.publicKey),
  await writeKey('other', OTHER_KEY.publicKey),
];

async function caisson(...args: string[]): Promise<{code: number; stdout: string; stderr: string}> {
  const {exitCode, stdout, stderr} = await exec([join(ROOT_DIR, 'caisson'), ...args, '--dir', dir], {
    okCodes: [0, 1, 2],
    env: {FORCE_COLOR: undefined},
  });
  return {code: exitCode, stdout, stderr};
}

async function promote(...args: string[]): ReturnType<typeof caisson> {
  return caisson('promote', ...args, '--key', key);
}

describe('caisson promote', () => {
  it('points a channel to a release, which caisson channels shows', async () => {
    const {code, stdout} = await promote('1.1.0', 'beta');
    assert.equal(code, 0);
    assert.match(stdout, /^beta is at 1\.1\.0 now \(\d+\.?\d* kB, SHA-256 [0-9a-f]{64}, signed by mine\)\n$/);
    const shown = await caisson('channels');
    assert.match(
      shown.stdout,
      /^alpha {3}-\nbeta {4}1\.1\.0, since \d{4}-\d\d-\d\d \d\d:\d\d UTC\nstable {2}-\n\n[^]*\n1\.2\.0 {2}cannot be offered: there is no payload/,
    );
    const value = JSON.parse((await caisson('channels', '--json')).stdout) as {
      channels: {beta: {version: string}};
    };
    assert.equal(value.channels.beta.version, '1.1.0');
  });

  it('says why not, and what to do', async () => {
    const unfit = await promote('1.2.0', 'beta');
    assert.equal(unfit.code, 1);
    assert.match(
      unfit.stderr,
      /^caisson: release 1\.2\.0 cannot be offered: there is no payload; caisson payload make\n$/,
    );
    await promote('1.1.0', 'stable');
    const older = await promote('1.0.0', 'stable');
    assert.equal(older.code, 1);
    assert.match(older.stderr, /stable is at 1\.1\.0, and 1\.0\.0 is older\nhint: with --allow-downgrade/);
    assert.equal((await promote('1.0.0', 'stable', '--allow-downgrade')).code, 0);
    assert.equal((await promote('1.0.0', 'edge')).code, 2);
  });
});

describe('caisson promote with a payload that hosts would refuse', () => {
  const channelsNow = (): Promise<string> => readFile(join(dir, 'channels.json'), 'utf8');

  it('leaves the channels alone when none of its keys signed, and names them', async () => {
    const before = await channelsNow();
    const {code, stderr} = await promote('1.3.0', 'alpha');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /\ncaisson: the payload of release 1\.3\.0 is not signed by the key mine \([0-9a-f]{16}\.\.\.\)\n/,
    );
    assert.match(
      stderr,
      /\nhint: --key names the public keys that your hosts trust; .*caisson payload inspect/,
    );
    assert.equal(await channelsNow(), before);
  });

  it('leaves the channels alone when the payload is not what was signed', async () => {
    const before = await channelsNow();
    const {code, stderr} = await promote('1.4.0', 'alpha');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /the payload of release 1\.4\.0 is damaged: usr, operation 0: its blob is not what the manifest says\nhint: make it again/,
    );
    assert.equal(await channelsNow(), before);
  });

  it('takes one that any of several keys signed', async () => {
    const {code, stdout} = await promote('1.3.0', 'alpha', '--key', other, '--json');
    assert.equal(code, 0);
    assert.equal((JSON.parse(stdout) as {signedBy: string}).signedBy, 'other');
  });

  it('refuses a key that is none', async () => {
    const {code, stderr} = await caisson('promote', '1.0.0', 'beta', '--key', join(dir, 'nothing.pem'));
    assert.equal(code, 1);
    assert.match(stderr, /cannot read .*nothing\.pem/);
  });
});

describe('caisson serve', () => {
  it('tells hosts where it is, logs, and ends when told to', {timeout: 300_000}, async () => {
    const child = spawn(join(ROOT_DIR, 'caisson'), ['serve', '--dir', dir, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
      for (;;) {
        const found = pattern.exec(text);
        if (found !== null) return found;
        await once(child.stdout, 'data');
      }
    };
    const [, url] = await until(/hosts need SERVER=(http:\/\/127\.0\.0\.1:\d+)\/v1\/update\/\n/);
    const answer = await fetch(`${url}/status`);
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
    await until(/ 127\.0\.0\.1 GET \/status 200 /);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0);
  });

  it('refuses what it cannot serve', async () => {
    const address = await caisson('serve', '--listen', '8000');
    assert.equal(address.code, 1);
    assert.match(address.stderr, /"8000" is no HOST:PORT\nhint: write it like 127\.0\.0\.1:8000/);
    assert.equal((await caisson('serve', '--tls-cert', 'x')).code, 2);
  });
});
