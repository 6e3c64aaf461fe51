import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {type UpdateConf, parseUpdateConf} from '../../../formats/update-conf.ts';
import {fc} from '../../support/property.ts';
import {ROOT_DIR} from '../../support/sources.ts';

const ours = (text: string): UpdateConf => parseUpdateConf([{path: '/etc/caisson/update.conf', text}]);
const texts = (findings: UpdateConf['errors']): string[] => findings.map(({text}) => text);
const NOTHING_SET = {
  group: 'stable',
  server: {kind: 'disabled', reason: 'SERVER is not set'},
  strategy: 'reboot',
  pin: null,
  maxVersion: null,
  allowDowngrade: false,
  downloadBytesPerSecond: null,
  machineAlias: '',
  credentials: null,
  proxy: null,
  caFile: null,
  channelMetadata: {kind: 'beside'},
  reboot: new Map(),
};

describe('parseUpdateConf', () => {
  it('has a value for everything without any file', () => {
    assert.deepEqual(parseUpdateConf([]), {settings: NOTHING_SET, warnings: [], errors: []});
  });

  it('takes a key from the first file that has it, be it empty', () => {
    const {settings} = parseUpdateConf([
      {path: 'a', text: 'GROUP=beta\nMACHINE_ALIAS=\n'},
      {path: 'b', text: 'GROUP=alpha\nMACHINE_ALIAS=web1\nSERVER=http://updates.example.com/v1/update/\n'},
    ]);
    assert.equal(settings.group, 'beta');
    assert.equal(settings.machineAlias, '');
    assert.deepEqual(settings.server, {kind: 'url', url: 'http://updates.example.com/v1/update/'});
    const silenced = parseUpdateConf([
      {path: 'a', text: 'SERVER='},
      {path: 'b', text: 'SERVER=http://updates.example.com/'},
    ]);
    assert.deepEqual(silenced.settings.server, {kind: 'disabled', reason: 'SERVER is not set'});
  });

  it('reads every key', () => {
    const {settings, warnings, errors} = ours(`
# a comment
; another
 GROUP = not like this
GROUP="edge_1"
SERVER='https://updates.example.com:8443/v1/update/'
REBOOT_STRATEGY=etcd-lock
UPDATE_PIN=1.4
UPDATE_MAX_VERSION=2.0.0-rc.1
ALLOW_DOWNGRADE=Yes
DOWNLOAD_RATE_LIMIT=10M
DOWNLOAD_USER=me
DOWNLOAD_PASSWORD=a b"c
MACHINE_ALIAS="rack 4"
PROXY=http://proxy.example.com:3128
SERVER_CA=/etc/caisson/ca.pem
CHANNEL_METADATA=https://mirror.example.com/caisson
LOCKSMITHD_GROUP=workers
REBOOT_WINDOW_START="Thu 04:00"\r
`);
    assert.deepEqual(texts(warnings), [
      '/etc/caisson/update.conf:4: "GROUP = not like this" is not KEY=VALUE and is passed over',
    ]);
    assert.deepEqual(errors, []);
    assert.deepEqual(settings, {
      group: 'edge_1',
      server: {kind: 'url', url: 'https://updates.example.com:8443/v1/update/'},
      strategy: 'etcd-lock',
      pin: '1.4',
      maxVersion: '2.0.0-rc.1',
      allowDowngrade: true,
      downloadBytesPerSecond: 10 * 1024 * 1024,
      machineAlias: 'rack 4',
      credentials: {user: 'me', password: 'a b"c'},
      proxy: 'http://proxy.example.com:3128',
      caFile: '/etc/caisson/ca.pem',
      channelMetadata: {kind: 'folder', url: 'https://mirror.example.com/caisson/'},
      reboot: new Map([
        ['LOCKSMITHD_GROUP', 'workers'],
        ['REBOOT_WINDOW_START', 'Thu 04:00'],
      ]),
    });
  });

  it('only warns about what it does not know, with the line', () => {
    const {settings, warnings, errors} = ours(
      'SERVER=http://u.example/\nCOLOUR=red\nCOREOS_RELEASE_VERSION=1\nhello\nGROUP=alpha\nGROUP=beta\n',
    );
    assert.deepEqual(texts(warnings), [
      '/etc/caisson/update.conf:2: COLOUR is no key that this version knows',
      '/etc/caisson/update.conf:3: COREOS_RELEASE_VERSION has no effect here',
      '/etc/caisson/update.conf:4: "hello" is not KEY=VALUE and is passed over',
      '/etc/caisson/update.conf:6: GROUP is set again; the last one counts',
    ]);
    assert.deepEqual(errors, []);
    assert.equal(settings.group, 'beta');
    assert.equal(settings.server.kind, 'url');
  });

  const bad: [string, RegExp][] = [
    ['SERVER=updates.example.com', /SERVER="updates.example.com" is neither an http/],
    ['SERVER=ftp://updates.example.com/', /neither/],
    ['SERVER=http://', /neither/],
    ['GROUP=my group', /no name of a group/],
    ['UPDATE_PIN=1.x', /UPDATE_PIN="1.x" is neither a version/],
    ['UPDATE_PIN=01', /neither/],
    ['UPDATE_MAX_VERSION=1.4', /no version such as/],
    ['ALLOW_DOWNGRADE=maybe', /neither true nor false/],
    ['DOWNLOAD_RATE_LIMIT=fast', /no rate/],
    ['DOWNLOAD_RATE_LIMIT=1K', /less than 8192 bytes per second/],
    ['DOWNLOAD_USER=a\u0007', /control characters/],
    [`MACHINE_ALIAS=${'x'.repeat(257)}`, /longer than 256/],
    ['PROXY=socks://a', /no http or https address/],
    ['SERVER_CA=ca.pem', /no absolute path/],
  ];
  for (const [line, pattern] of bad)
    it(`asks nobody with ${line.slice(0, 40)}`, () => {
      const {settings, errors} = ours(`SERVER=http://u.example/\n${line}\n`);
      assert.equal(errors.length, 1);
      const [error] = errors;
      assert.match(error?.text ?? '', pattern);
      assert.equal(error?.line, 2);
      assert.deepEqual(settings.server, {kind: 'disabled', reason: error.text});
    });

  it('does not reboot by itself with a strategy that it does not know, but asks for updates', () => {
    const {settings, errors} = ours('SERVER=http://u.example/\nREBOOT_STRATEGY=sometimes\n');
    assert.equal(settings.strategy, 'off');
    assert.equal(settings.server.kind, 'url');
    assert.match(errors[0]?.text ?? '', /is none of reboot, etcd-lock, best-effort, fleet-lock, off$/);
  });

  it('does not tell a password to the journal', () => {
    const {errors} = ours(`DOWNLOAD_USER=me\nDOWNLOAD_PASSWORD=s3cret\u0001\n`);
    assert.equal(errors.length, 1);
    assert.doesNotMatch(errors[0]?.text ?? '', /s3cret/);
  });

  it('does not read a file without end', () => {
    const {settings, errors} = ours(`SERVER=http://u.example/\n${'#'.repeat(70_000)}`);
    assert.equal(settings.server.kind, 'disabled');
    assert.match(errors[0]?.text ?? '', /the file has 70\d+ characters/);
  });

  it('takes any text', () => {
    const line = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom('GROUP', 'SERVER', 'UPDATE_PIN', 'constructor'), fc.string())
        .map((pair) => pair.join('=')),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const {settings, errors} = ours(lines.join('\n'));
        if (errors.some(({key}) => key !== 'REBOOT_STRATEGY')) assert.equal(settings.server.kind, 'disabled');
      }),
    );
  });
});

describe('SERVER and CHANNEL_METADATA', () => {
  const server = (text: string): unknown =>
    parseUpdateConf([{path: 'x', text: `SERVER=${text}`}]).settings.server;

  it('name a folder of files, with a slash at its end', () => {
    assert.deepEqual(server('static+https://h/a'), {kind: 'static', url: 'https://h/a/'});
    assert.deepEqual(server('static+file:///media/stick/'), {kind: 'static', url: 'file:///media/stick/'});
    const {settings} = parseUpdateConf([{path: 'x', text: 'CHANNEL_METADATA=disabled'}]);
    assert.deepEqual(settings.channelMetadata, {kind: 'disabled'});
  });

  it('are refused where no file could be', () => {
    for (const text of [
      'static+',
      'static+ftp://h/',
      'static+https://',
      'static+file://host/x',
      'static+http://h/?a=b',
    ])
      assert.match(JSON.stringify(server(text)), /"disabled".*has no http, https or file address/);
    const {errors} = parseUpdateConf([{path: 'x', text: 'CHANNEL_METADATA=nowhere'}]);
    assert.match(errors[0]?.text ?? '', /neither an http, https or file address/);
  });
});

describe('the update.conf of a release', () => {
  it('asks nobody, and has neither faults nor surprises', async () => {
    const path = '/usr/share/caisson/update.conf';
    const text = await readFile(join(ROOT_DIR, 'overlays/os', path), 'utf8');
    const {settings, warnings, errors} = parseUpdateConf([{path, text}]);
    assert.deepEqual([warnings, errors], [[], []]);
    assert.deepEqual(settings, {...NOTHING_SET, server: {kind: 'disabled', reason: 'SERVER=disabled'}});
    // Those that are commented out are keys all the same.
    const shown = text.replaceAll(/^#([A-Z_]+=)/gm, '$1');
    assert.deepEqual(parseUpdateConf([{path, text: shown}]).warnings, []);
    assert.deepEqual(parseUpdateConf([{path, text: shown}]).errors, []);
  });
});
