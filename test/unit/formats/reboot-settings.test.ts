import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type ParsedRebootSettings, parseRebootSettings} from '../../../formats/reboot-settings.ts';
import {fc} from '../../support/property.ts';

function parse(values: Readonly<Record<string, string>>): ParsedRebootSettings {
  return parseRebootSettings(new Map(Object.entries(values)));
}

const ETCD = {
  endpoints: ['http://127.0.0.1:2379'],
  caFile: null,
  certFile: null,
  keyFile: null,
  username: null,
  password: null,
  group: '',
};

describe('parseRebootSettings', () => {
  it('has a value for everything when nothing is set, or set to nothing', () => {
    const expected = {
      settings: {
        windows: {kind: 'value', value: []},
        sessionWaitMs: {kind: 'value', value: 300_000},
        hookTimeoutMs: {kind: 'value', value: 300_000},
        imageIntervalMs: {kind: 'value', value: 86_400_000},
        etcd: {kind: 'value', value: ETCD},
        fleetLock: {kind: 'value', value: null},
      },
      problems: [],
    };
    assert.deepEqual(parse({}), expected);
    assert.deepEqual(
      parse({REBOOT_WINDOWS: '', LOCKSMITHD_GROUP: '', FLEET_LOCK_URL: '', REBOOT_SESSION_WAIT: ''}),
      expected,
    );
  });

  it('reads every key', () => {
    const {settings, problems} = parse({
      REBOOT_WINDOW_START: 'Thu 04:00',
      REBOOT_WINDOW_LENGTH: '1h',
      REBOOT_WINDOWS: 'Mon 02:00+2h; 03:00+1h UTC',
      REBOOT_WINDOW_ZONE: 'Asia/Kathmandu',
      REBOOT_SESSION_WAIT: 'forever',
      REBOOT_HOOK_TIMEOUT: '90s',
      LOCKSMITHD_ENDPOINT: 'https://10.0.0.1:2379/, https://10.0.0.2:2379,https://10.0.0.1:2379',
      LOCKSMITHD_ETCD_CAFILE: '/etc/etcd/ca.pem',
      LOCKSMITHD_ETCD_CERTFILE: '/etc/etcd/cert.pem',
      LOCKSMITHD_ETCD_KEYFILE: '/etc/etcd/key.pem',
      LOCKSMITHD_ETCD_USERNAME: 'root',
      LOCKSMITHD_ETCD_PASSWORD: 'a b',
      LOCKSMITHD_GROUP: 'the workers',
      FLEET_LOCK_URL: 'https://lock.example.com/fleet/',
      FLEET_LOCK_GROUP: 'edge-1.a',
    });
    assert.deepEqual(problems, []);
    assert.equal(settings.windows.kind, 'value');
    assert.deepEqual(
      settings.windows.value.map(({text, zone}) => `${text} in ${zone}`),
      ['Mon 02:00+2h in Asia/Kathmandu', '03:00+1h UTC in UTC', 'Thu 04:00+1h in Asia/Kathmandu'],
    );
    assert.deepEqual(settings.sessionWaitMs, {kind: 'value', value: 'forever'});
    assert.deepEqual(settings.hookTimeoutMs, {kind: 'value', value: 90_000});
    assert.deepEqual(settings.etcd, {
      kind: 'value',
      value: {
        endpoints: ['https://10.0.0.1:2379', 'https://10.0.0.2:2379'],
        caFile: '/etc/etcd/ca.pem',
        certFile: '/etc/etcd/cert.pem',
        keyFile: '/etc/etcd/key.pem',
        username: 'root',
        password: 'a b',
        group: 'the workers',
      },
    });
    assert.deepEqual(settings.fleetLock, {
      kind: 'value',
      value: {url: 'https://lock.example.com/fleet', group: 'edge-1.a'},
    });
  });

  it("prefers locksmith's own names, key by key", () => {
    const {windows} = parse({
      LOCKSMITHD_REBOOT_WINDOW_START: '05:00',
      REBOOT_WINDOW_START: '04:00',
      REBOOT_WINDOW_LENGTH: '1h',
    }).settings;
    assert.deepEqual(windows.kind === 'value' && windows.value.map(({text}) => text), ['05:00+1h']);
  });

  it('does not wait for sessions when it is told so', () => {
    assert.deepEqual(parse({REBOOT_SESSION_WAIT: '0'}).settings.sessionWaitMs, {kind: 'value', value: 0});
  });

  const bad: [keyof ParsedRebootSettings['settings'], Readonly<Record<string, string>>, RegExp][] = [
    ['windows', {REBOOT_WINDOW_START: '04:00'}, /^REBOOT_WINDOW_START is set without its length/],
    [
      'windows',
      {LOCKSMITHD_REBOOT_WINDOW_LENGTH: '1h'},
      /^LOCKSMITHD_REBOOT_WINDOW_LENGTH is set without its start/,
    ],
    [
      'windows',
      {REBOOT_WINDOW_START: '25:00', REBOOT_WINDOW_LENGTH: '1h'},
      /^the window of REBOOT_WINDOW_START="25:00" and REBOOT_WINDOW_LENGTH="1h" starts at "25:00", which/,
    ],
    ['windows', {REBOOT_WINDOWS: 'always'}, /^REBOOT_WINDOWS="always" has "always", which is no window/],
    ['windows', {REBOOT_WINDOW_ZONE: 'Mars/Olympus'}, /^REBOOT_WINDOW_ZONE="Mars\/Olympus" is no time zone/],
    ['sessionWaitMs', {REBOOT_SESSION_WAIT: '5'}, /^REBOOT_SESSION_WAIT="5" is no duration/],
    ['sessionWaitMs', {REBOOT_SESSION_WAIT: '-1m'}, /is not from 0s to 168h/],
    [
      'imageIntervalMs',
      {REBOOT_IMAGE_INTERVAL: '721h'},
      /^REBOOT_IMAGE_INTERVAL="721h" is not from 1s to 720h/,
    ],
    ['hookTimeoutMs', {REBOOT_HOOK_TIMEOUT: '10ms'}, /^REBOOT_HOOK_TIMEOUT="10ms" is not from 1s to 24h/],
    ['etcd', {LOCKSMITHD_ENDPOINT: '127.0.0.1:2379'}, /^LOCKSMITHD_ENDPOINT=.* is no http or https address/],
    ['etcd', {LOCKSMITHD_ENDPOINT: 'http://a:1,'.repeat(17)}, /more than 16/],
    ['etcd', {LOCKSMITHD_ENDPOINT: ' , '}, /names no address/],
    ['etcd', {LOCKSMITHD_ENDPOINT: 'http://a:2379/v2/keys'}, /with a path/],
    ['etcd', {LOCKSMITHD_ENDPOINT: 'http://me:secret@a:2379'}, /a name or a password in it/],
    ['etcd', {LOCKSMITHD_ETCD_CERTFILE: '/a'}, /go together, and one is not set/],
    ['etcd', {LOCKSMITHD_ETCD_CAFILE: 'ca.pem'}, /no absolute path/],
    ['etcd', {LOCKSMITHD_ETCD_USERNAME: 'root'}, /go together/],
    ['fleetLock', {FLEET_LOCK_URL: 'lock.example.com'}, /^FLEET_LOCK_URL=.* is no http or https address/],
    ['fleetLock', {FLEET_LOCK_URL: 'http://a/?x'}, /goes on behind its path/],
    ['fleetLock', {FLEET_LOCK_GROUP: 'my group'}, /^FLEET_LOCK_GROUP="my group" is no name of a group/],
  ];
  for (const [part, values, problem] of bad)
    it(`has no ${part} with ${JSON.stringify(values).slice(0, 70)}, and all the rest`, () => {
      const {settings, problems} = parse(values);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', problem);
      assert.deepEqual(
        Object.entries(settings).flatMap(([name, {kind}]) => (kind === 'bad' ? [name] : [])),
        [part],
      );
    });

  it('never tells the password', () => {
    for (const password of ['s3cret\u0001', 's3cret'.repeat(100)]) {
      const {problems} = parse({LOCKSMITHD_ETCD_USERNAME: 'a', LOCKSMITHD_ETCD_PASSWORD: password});
      assert.match(problems.join(), /^LOCKSMITHD_ETCD_PASSWORD is longer than/);
      assert.doesNotMatch(problems.join(), /s3cret/);
    }
    // Also not the one that somebody put into an address.
    assert.doesNotMatch(parse({FLEET_LOCK_URL: 'https://me:s3cret@a/'}).problems.join(), /s3cret/);
    assert.doesNotMatch(parse({LOCKSMITHD_ENDPOINT: 'https://me:s3cret@a/'}).problems.join(), /s3cret/);
  });

  it('takes any text', () => {
    const keys = fc.constantFrom(
      'REBOOT_WINDOWS',
      'REBOOT_WINDOW_ZONE',
      'LOCKSMITHD_ENDPOINT',
      'FLEET_LOCK_URL',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, fc.string())), (pairs) => {
        const {settings, problems} = parseRebootSettings(new Map(pairs));
        const bad = Object.values(settings).filter(({kind}) => kind === 'bad');
        assert.equal(problems.length, bad.length);
      }),
    );
  });
});
