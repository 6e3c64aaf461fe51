import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type CheckOutcome, readOutcome} from '../../../formats/omaha/offer.ts';
import {CAISSON_APP_ID, type OmahaRequest, type RequestApp} from '../../../formats/omaha/request.ts';
import {type ResponseApp, decodeResponse, encodeResponse} from '../../../formats/omaha/response.ts';
import {compareVersions} from '../../../formats/version.ts';
import type {Channel, Channels} from '../../../server/channels.ts';
import {createFleet} from '../../../server/fleet.ts';
import {type OfferedRelease, answerOmaha} from '../../../server/omaha.ts';
import {eventOfCheck, requestOf} from '../../../update-engine/omaha/request-of.ts';
import {fc} from '../../support/property.ts';

const HOST = {
  version: '1.0.0',
  alephVersion: '',
  group: 'stable',
  machineId: '0123456789abcdef0123456789abcdef',
  machineAlias: '',
  bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566',
  oem: {id: '', version: ''},
};
const QUESTION = {by: 'timer', ping: true, updateCheck: {targetVersionPrefix: ''}, events: []} as const;
const releaseOf = (version: string): [string, OfferedRelease] => [
  version,
  {version, bytes: 10, sha256: 'ab'.repeat(32), sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00='},
];
const releases = new Map(['1.0.0', '1.0.1', '1.1.0', '1.10.0', '2.0.0'].map(releaseOf));
const at = (version: string, past: string[] = [], allowDowngrade = false): Channels => ({
  stable: {version, promotedAt: 0, allowDowngrade, past} satisfies Channel,
});

function ask(
  channels: Channels,
  changes: Partial<RequestApp> = {},
  hosts: readonly string[] = ['u.example'],
): ResponseApp {
  const request = requestOf(HOST, QUESTION);
  const apps = request.apps.map((app) => ({...app, ...changes}));
  const response = answerOmaha(
    {...request, apps},
    {channels, releases, codebaseOf: ({sha256}) => hosts.map((name) => `http://${name}/${sha256}/`)},
  );
  // What went over the wire counts.
  const [app] = decodeResponse(encodeResponse(response)).apps;
  assert.ok(app !== undefined);
  return app;
}

const outcome = (channels: Channels, changes: Partial<RequestApp> = {}): CheckOutcome =>
  readOutcome({server: '', apps: [ask(channels, changes)]}, CAISSON_APP_ID);
const offered = (channels: Channels, changes: Partial<RequestApp> = {}): string | null =>
  outcome(channels, changes).offer?.version ?? null;
const pinned = (targetVersionPrefix: string): Partial<RequestApp> => ({updateCheck: {targetVersionPrefix}});

describe('answerOmaha', () => {
  it('names mirrors before itself, and what is not worth more than a few attempts', () => {
    const {updateCheck} = ask(at('1.1.0'), {}, ['mirror.example', 'u.example']);
    assert.deepEqual(updateCheck?.codebases, [
      `http://mirror.example/${'ab'.repeat(32)}/`,
      `http://u.example/${'ab'.repeat(32)}/`,
    ]);
    assert.equal(updateCheck.manifest?.actions[0]?.maxFailuresPerUrl, 3);
  });

  it('offers what the channel points to, with all that a stock client wants', () => {
    assert.deepEqual(outcome(at('1.1.0')), {
      pollSeconds: null,
      hold: null,
      offer: {
        version: '1.1.0',
        urls: [`http://u.example/${'ab'.repeat(32)}/update.payload`],
        bytes: 10,
        sha256: 'ab'.repeat(32),
        isDelta: false,
        disableBackoff: true,
        maxFailuresPerUrl: 10,
      },
    });
    const manifest = ask(at('1.1.0')).updateCheck?.manifest;
    assert.deepEqual(manifest?.packages[0]?.sha1, 'qvTGHdzF6KLavt4PO0gs2a6pQ00=');
  });

  const cases: [string, Channels, Partial<RequestApp>, string | null][] = [
    ['the same version', at('1.0.0'), {}, null],
    ['an older one', at('1.0.0'), {version: '1.0.1'}, null],
    ['an older one that is meant', at('1.0.0', [], true), {version: '1.0.1'}, '1.0.0'],
    ['the same version in a channel that goes back', at('1.0.0', [], true), {}, null],
    ['a channel without a release', {}, {}, null],
    ['a release whose payload is gone', at('3.0.0'), {}, null],
    ['a channel of old', at('1.1.0'), {track: '{9a2deb70-37be-4026-853f-bfdd6b347bbe}'}, '1.1.0'],
    ['another channel', at('1.1.0'), {track: 'beta'}, null],
    ['a pin that fits', at('1.1.0'), pinned('1.1'), '1.1.0'],
    ['a pin that ends with a dot', at('1.1.0'), pinned('1.'), '1.1.0'],
    ['a pin to a series of before', at('2.0.0', ['1.1.0', '1.0.1']), pinned('1'), '1.1.0'],
    ['a pin to one version', at('2.0.0', ['1.1.0', '1.0.1']), pinned('1.0.1'), '1.0.1'],
    ['a pin that is not the beginning of a number', at('1.10.0', ['1.1.0']), pinned('1.1'), '1.1.0'],
    ['a pin that only a release fits which was never in the channel', at('2.0.0'), pinned('1'), null],
    ['a pin when all that fits is older', at('2.0.0', ['1.0.1']), {...pinned('1'), version: '1.0.1'}, null],
  ];
  for (const [name, channels, changes, version] of cases)
    it(`with ${name} offers ${version ?? 'nothing'}`, () =>
      assert.equal(offered(channels, changes), version));

  const refused: [string, Partial<RequestApp>, string, string][] = [
    [
      'another app',
      {appId: '{e96281a6-d1af-4bde-9a0a-97b76e56dc57}'},
      'error-unknownApplication',
      'error-internal',
    ],
    ['another group', {track: 'edge'}, 'error-unknownApplicationOrGroup', 'error-internal'],
    ['no version', {version: ''}, 'error-invalidVersion', 'error-internal'],
    ['another architecture', {board: 'arm64-usr'}, 'ok', 'error-osnotsupported'],
  ];
  for (const [name, changes, status, check] of refused)
    it(`refuses ${name}`, () => {
      const app = ask(at('1.1.0'), changes);
      assert.deepEqual([app.status, app.updateCheck?.status], [status, check]);
      assert.throws(() => offered(at('1.1.0'), changes), /refused the check/);
    });

  it('acknowledges pings and events, and answers no question that was not asked', () => {
    const events = [eventOfCheck('', '1.0.0'), eventOfCheck('1.0.0', '1.0.0')];
    const app = ask(at('1.1.0'), {updateCheck: null, events});
    assert.deepEqual([app.ping, app.events, app.updateCheck], [true, 2, null]);
    assert.equal(ask(at('1.1.0'), {ping: false}).ping, false);
  });

  it('never offers anything older, unless that is meant', () => {
    const version = fc.constantFrom(...releases.keys());
    fc.assert(
      fc.property(
        version,
        version,
        fc.array(version),
        fc.constantFrom('', '1', '1.0', '2'),
        (running, current, past, prefix) => {
          const found = offered(at(current, past), {...pinned(prefix), version: running});
          if (found === null) return;
          assert.ok(compareVersions(found, running) > 0);
          assert.ok([current, ...past].includes(found));
          if (prefix !== '') assert.ok(found.startsWith(`${prefix}.`));
        },
      ),
    );
  });
});

describe('a fleet', () => {
  const request = (changes: Partial<RequestApp>): RequestApp[] =>
    (requestOf(HOST, QUESTION) satisfies OmahaRequest).apps.map((app) => ({...app, ...changes}));

  it('remembers hosts by their last word, and events, newest first', () => {
    const fleet = createFleet();
    const events = [
      {type: 13, result: 1, errorCode: null, previousVersion: null},
      {type: 3, result: 0, errorCode: 10 + 2 ** 28, previousVersion: null},
    ];
    for (const [time, change] of [
      {machineId: 'a'},
      {machineId: 'b', events},
      {machineId: 'a', version: '1.1.0'},
    ].entries())
      for (const app of request(change)) fleet.see(app, time);
    assert.deepEqual(
      fleet.hosts().map(({machineId, version, lastSeenAt}) => [machineId, version, lastSeenAt]),
      [
        ['a', '1.1.0', 2],
        ['b', '1.0.0', 1],
      ],
    );
    assert.deepEqual(
      fleet.events().map(({text, errorCode}) => [text, errorCode]),
      [
        ['update failed: PAYLOAD_HASH_MISMATCH', 10],
        ['download started', null],
      ],
    );
  });

  it('stays bounded', () => {
    const fleet = createFleet();
    const event = {type: 13, result: 1, errorCode: null, previousVersion: null};
    for (let at = 0; at < 11_000; at += 1)
      for (const app of request({machineId: String(at), events: [event]})) fleet.see(app, at);
    assert.deepEqual(
      [fleet.hosts().length, fleet.hosts()[0]?.machineId, fleet.events().length],
      [10_000, '10999', 1000],
    );
  });
});
