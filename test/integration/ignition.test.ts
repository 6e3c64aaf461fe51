/** Bad configs for a first boot, against the real Ignition: each ends with a reason, and before anything was changed. */
import assert from 'node:assert/strict';
import {gzipSync} from 'node:zlib';
import {createHash} from 'node:crypto';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {createServer as createTlsServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type TestContext, describe, it} from 'node:test';
import {startAnswers} from '../support/answer-server.ts';
import {firstBoot} from '../support/ignition-world.ts';
import {makeTestCa} from '../support/test-ca.ts';
import {skipWithout} from '../support/tool.ts';

const skip = await skipWithout(['curl', 'dpkg-deb'], 'curl');
const VERSION = '3.3.0';
const configOf = (rest: object, ignition: object = {}): string =>
  JSON.stringify({ignition: {version: VERSION, ...ignition}, ...rest});
const fetching = (source: string, hash?: string): string =>
  configOf({}, {config: {replace: {source, ...(hash === undefined ? {} : {verification: {hash}})}}});
const sha256 = (text: string): string => `sha256-${createHash('sha256').update(text).digest('hex')}`;

async function refusal(
  t: TestContext,
  config: string | Uint8Array,
  options?: {lookEveryMs: number},
): Promise<string> {
  const {error, stages} = await firstBoot(t, config, options);
  assert.notEqual(error, null, 'the host was configured');
  assert.ok(!stages.includes('disks'), 'something was changed');
  const {message, hint} = error as Error & {hint?: string};
  return hint === undefined ? message : `${message}\nhint: ${hint}`;
}

describe('a first boot', {skip}, () => {
  it('goes through all stages of Ignition, and fetches what the config refers to', async (t) => {
    const child = configOf({});
    const {url} = await startAnswers(t, {'/a': {redirect: '/b'}, '/b': child});
    const {error, stages, shown} = await firstBoot(t, fetching(`${url}/a`, sha256(child)));
    assert.equal(error, null);
    assert.deepEqual(stages, ['fetch-offline', 'fetch', 'disks', 'mount', 'files', 'umount']);
    assert.match(shown.at(-1) ?? '', /the host is configured/);
  });

  it('leaves cloud-config alone, packed or not', async (t) => {
    for (const data of ['#cloud-config\n', gzipSync('#cloud-config\n'), '#!/bin/sh\n', '']) {
      const {error, stages} = await firstBoot(t, data);
      assert.deepEqual([error, stages], [null, []]);
    }
  });

  it('takes a config that is packed', async (t) => {
    assert.equal((await firstBoot(t, gzipSync(configOf({})))).error, null);
  });
});

describe('a config that is wrong', {skip}, () => {
  it('in its text is refused with line and column', async (t) => {
    assert.match(
      await refusal(t, '{\n  "ignition": {"version": "3.3.0"},\n}\n'),
      /fw_cfg opt\/com\.coreos\/config: not JSON: .* at line 3, column 1/,
    );
    assert.match(await refusal(t, 'variant: fcos\n'), /not JSON.*\nhint: .*caisson config translate/);
    assert.match(await refusal(t, '# cloud-config\n'), /hint: a cloud-config begins with/);
    assert.match(await refusal(t, gzipSync(Buffer.alloc(3 << 20))), /unpacks to more than/);
    assert.match(await refusal(t, Buffer.alloc(3 << 20, ' ')), /3145728 bytes, more than 2097152/);
  });

  it('in a key or value is refused with its place', async (t) => {
    const unknown = `{"ignition": {"version": "${VERSION}"},\n "storge": {}}`;
    assert.match(await refusal(t, unknown), /unknown key storge at line 2, column \d+/);
    assert.match(
      await refusal(t, configOf({storage: {files: [{path: 'etc/a'}]}})),
      /storage\.files\.0\.path, line 1 col \d+: path not absolute/,
    );
    assert.match(await refusal(t, configOf({}, {version: '2.3.0'})), /ignition\.version is "2\.3\.0"/);
    assert.match(await refusal(t, configOf({}, {version: '3.4.0'})), /hint: .*may simply say 3\.3\.0/);
  });

  it('asks for what this system does not do, itself or by a config that it merges', async (t) => {
    const raid = configOf({
      storage: {raid: [{name: 'a', level: 'raid1', devices: ['/dev/a', '/dev/b']}]},
    });
    const {url} = await startAnswers(t, {'/raid': raid});
    for (const config of [raid, fetching(`${url}/raid`)])
      assert.match(await refusal(t, config), /storage\.raid: this system has no mdadm/);
  });
});

describe('a config that cannot be fetched', {skip}, () => {
  it('names the address and what the server said', async (t) => {
    const {url} = await startAnswers(t, {'/yaml': 'variant: fcos\n'});
    assert.match(
      await refusal(t, fetching(`${url}/gone`)),
      /resource not found\n.*the last request: http:\S+\/gone \(Not Found\)/,
    );
    const yaml = await refusal(t, fetching(`${url}/yaml`));
    assert.match(yaml, /line 1 col 2: invalid character 'v'/);
    assert.match(yaml, /the last request: http:\S+\/yaml/);
  });

  it('says which hash it has, and which it should have', async (t) => {
    const child = configOf({});
    const {url} = await startAnswers(t, {'/a': child});
    assert.match(
      await refusal(t, fetching(`${url}/a`, sha256('another'))),
      new RegExp(`calculated ${sha256(child).slice(7)} but expected ${sha256('another').slice(7)}`),
    );
  });

  it('is not asked for without end in a circle, of redirections or of configs', async (t) => {
    const {url, answers} = await startAnswers(t, {'/a': {redirect: '/b'}, '/b': {redirect: '/a'}});
    answers.set('/merge', configOf({}, {config: {merge: [{source: `${url}/merge`}]}}));
    assert.match(await refusal(t, fetching(`${url}/a`), {lookEveryMs: 100}), /\/a leads in a circle/);
    assert.match(await refusal(t, fetching(`${url}/merge`)), /one of them merges itself.*\/merge/);
  });

  it('is not asked for again where nobody vouches for the server', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'ignition-ca-'));
    t.after(() => rm(folder, {recursive: true}));
    const {cert, key} = await (await makeTestCa(folder, 'nobody')).issue('server');
    const pair = {cert: await readFile(cert), key: await readFile(key)};
    const server = createTlsServer(pair, (_request, response) => response.end(configOf({})));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/a`;
    assert.match(await refusal(t, fetching(url)), /no trustworthy connection to https:.*x509: /);
  });

  it('shows why while it is asked for again, until the time of the config is over', async (t) => {
    const {url} = await startAnswers(t, {'/busy': {status: 503}});
    const config = configOf({}, {timeouts: {httpTotal: 2}, config: {replace: {source: `${url}/busy`}}});
    const {error, shown} = await firstBoot(t, config);
    assert.match(error?.message ?? '', /Ignition failed in its stage fetch/);
    assert.ok(shown.some((line) => /GET result: Service Unavailable; trying again/.test(line)));
  });
});

describe('a file that cannot be written', {skip}, () => {
  it('for its hash names the file, and the journal has no password of the config', async (t) => {
    const {url} = await startAnswers(t, {'/file': 'hello'});
    const contents = {source: `${url}/file`, verification: {hash: sha256('another')}};
    const {error, noted} = await firstBoot(t, configOf({storage: {files: [{path: '/opt/a', contents}]}}));
    assert.match(error?.message ?? '', /stage files\n(.*\n)*.*opt\/a.*hash verification failed/);
    assert.ok(!noted.some((line) => line.includes('Full config') || line.trimStart().startsWith('"')));
  });
});
