import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createStageLog, reasonsIn} from '../../../../update-engine/ignition/stage-log.ts';

describe('createStageLog', () => {
  it('keeps the config, which Ignition repeats when it fails, and hashes of passwords to itself', () => {
    const log = createStageLog();
    const texts = [
      'DEBUG    : files: op(2): executing: "useradd" "--root" "/r" "--password" "$6$x" "ada"',
      'files failed',
      'Full config:',
      '{',
      '  "passwordHash": "$6$x"',
      '}',
      'CRITICAL : Ignition failed: no disk',
    ].map((line) => log.hear(line).publicText);
    assert.deepEqual(texts, [
      'DEBUG    : files: op(2): executing: "useradd" "--root" "/r" "--password" "..." "ada"',
      'files failed',
      null,
      null,
      null,
      null,
      'CRITICAL : Ignition failed: no disk',
    ]);
    assert.deepEqual(log.reasons(), ['Ignition failed: no disk']);
  });

  it('knows the request under way, and names it where Ignition does not', () => {
    const log = createStageLog();
    assert.equal(log.request, null);
    log.hear('INFO     : GET http://a/b: attempt #1');
    assert.deepEqual(log.request, {url: 'http://a/b', number: 1});
    assert.equal(
      log.hear('INFO     : GET result: Service Unavailable').trouble,
      'GET result: Service Unavailable',
    );
    log.hear('INFO     : GET http://a/b: attempt #2');
    assert.deepEqual(log.request, {url: 'http://a/b', number: 2});
    log.hear('INFO     : GET result: Not Found');
    assert.equal(log.request, null);
    log.hear('CRITICAL : failed to acquire config: resource not found');
    log.hear('CRITICAL : Ignition failed: resource not found');
    assert.deepEqual(log.reasons(), [
      'failed to acquire config: resource not found',
      'the last request: http://a/b (Not Found)',
    ]);
    assert.equal(createStageLog().hear('INFO     : GET result: OK').trouble, null);
    const file = 'INFO     : files: createFiles: op(5): GET';
    const other = createStageLog();
    other.hear(`${file} http://c/: attempt #1`);
    assert.deepEqual(other.request, {url: 'http://c/', number: 1});
    assert.match(other.hear(`${file} error: Get "http://c/": dial tcp`).trouble ?? '', /GET error: Get/);
  });

  it('gives up where Ignition would not: a bad certificate, configs in a circle', () => {
    const log = createStageLog();
    log.hear('INFO     : GET https://a/: attempt #1');
    const {verdict} = log.hear('INFO     : GET error: Get "https://a/": x509: certificate has expired');
    assert.match(verdict ?? '', /^no trustworthy connection to https:\/\/a\/: x509: certificate has expired/);
    const verdicts = Array.from(
      {length: 65},
      () => log.hear('DEBUG    : fetched referenced config at https://a/ with SHA512: 00').verdict,
    );
    assert.equal(verdicts[63], null);
    assert.match(verdicts[64] ?? '', /merges itself/);
  });

  it('collects unknown keys with their places', () => {
    const log = createStageLog();
    for (const key of ['storge', 'storge', 'passwd.users.0.shel'])
      log.hear(`WARNING  : warning at $.${key}, line 2 col 33: Unused key x`);
    assert.deepEqual(log.unknownKeys, [
      'unknown key storge at line 2, column 33',
      'unknown key passwd.users.0.shel at line 2, column 33',
    ]);
  });
});

describe('reasonsIn', () => {
  it('shows what is marked as an error, else the last lines', () => {
    assert.deepEqual(reasonsIn(['INFO     : a', 'CRITICAL : b', 'CRITICAL : b', 'x']), ['b']);
    assert.deepEqual(reasonsIn(['INFO     : a', '', 'x']), ['a', 'x']);
  });

  it('cuts what is long, and says nothing twice', () => {
    assert.equal(reasonsIn([`CRITICAL : ${'x'.repeat(900)}`])[0]?.length, 400);
    assert.deepEqual(reasonsIn(['CRITICAL : files: bad', 'CRITICAL : Ignition failed: bad']), ['files: bad']);
  });
});
