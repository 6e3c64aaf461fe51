/** What update_engine of CoreOS and Flatcar sends, letter by letter, and what it needs to find in the answer. */
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {CAISSON_APP_ID, decodeRequest} from '../../../../formats/omaha/request.ts';
import {encodeResponse} from '../../../../formats/omaha/response.ts';
import type {XmlElement} from '../../../../formats/omaha/xml.ts';
import {decodeXml} from '../../../../formats/omaha/xml.ts';
import {type Hub, openHub} from '../../../../server/hub/hub.ts';
import {beginRollout} from '../../../../server/rollout/state.ts';
import {openMemoryDatabase} from '../../../support/memory-database.ts';

const T0 = Date.UTC(2026, 0, 5, 10);
const GROUP_ID = '0b4a3b9e-4f5c-4d6e-8f70-112233445566';
const LEGACY_STABLE = '9a2deb70-37be-4026-853f-bfdd6b347bbe';
const OEM_APP = '{e96281a6-d1af-4bde-9a0a-97b76e56dc57}';
const SHA256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
const SHA256_BASE64 = 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=';
const SHA1 = 'qvTGHdzF6KLavt4PO0gs2a6pQ00=';

let hub: Hub;
before(async () => {
  const release = {
    ...{version: '1.1.0', bytes: 300, sha256: SHA256, sha1: SHA1, published_at: T0, published_by: ''},
    ...{signed_by: '', is_withdrawn: false, withdrawn_why: '', removed_at: null},
  };
  const group = {
    id: GROUP_ID,
    name: 'stable',
    channel: 'stable',
    policy: '{"pace": "at once"}',
    created_at: T0,
  };
  const database = openMemoryDatabase({
    releases: [release],
    channels: [{name: 'stable', version: '1.1.0', allow_downgrade: false, promoted_at: T0}],
    promotions: [{channel: 'stable', version: '1.1.0', allow_downgrade: false, at: T0, by: 't'}],
    groups: [{...group, state: JSON.stringify(beginRollout(null, T0))}],
  });
  hub = await openHub(database, T0);
});

interface Changes {
  readonly app?: Readonly<Record<string, string>>;
  readonly os?: string;
  readonly request?: string;
  readonly inner?: string;
  readonly others?: string;
}

let machines = 0;

/** The request of a stock client with changes; gives the apps of the answer. */
async function ask({app = {}, os, request, inner, others = ''}: Changes = {}): Promise<
  readonly XmlElement[]
> {
  machines += 1;
  const attributes = {
    ...{appid: CAISSON_APP_ID, version: '1.0.0', track: 'stable', oem: 'ec2', oemversion: '0.0.7'},
    ...{
      bootid: `{${GROUP_ID}}`,
      alephversion: '0.9.0',
      lang: 'en-US',
      board: 'amd64-usr',
      hardware_class: '',
    },
    ...{machineid: machines.toString(16).padStart(32, '0'), delta_okay: 'false', ...app},
  };
  const text = Object.entries(attributes)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ');
  const document = `<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" ${request ?? 'installsource="scheduler"'} ismachine="1">
    <os version="Chateau" platform="CoreOS" ${os ?? 'sp="1.0.0_x86_64"'}></os>
    <app ${text} >
      ${inner ?? '<ping active="1"></ping>\n<updatecheck></updatecheck>\n<event eventtype="3" eventresult="2" previousversion=""></event>'}
    </app>${others}
</request>
`;
  const answer = await hub.answer(decodeRequest(Buffer.from(document)), () => 'http://u.example/a/', T0);
  const root = decodeXml(encodeResponse(answer));
  assert.deepEqual([root.name, root.attributes.get('protocol')], ['response', '3.0']);
  assert.deepEqual([...(root.children[0]?.attributes ?? [])], [['elapsed_seconds', '0']]);
  return root.children.slice(1);
}

const child = (from: XmlElement | undefined, name: string): XmlElement | undefined =>
  from?.children.find((each) => each.name === name);
const statusOf = (from: XmlElement | undefined): string | undefined => from?.attributes.get('status');
const record = (from: XmlElement | undefined): object => Object.fromEntries(from?.attributes ?? []);

describe('a stock client', () => {
  it('finds all that it needs in an offer, and nothing that it stumbles over', async () => {
    const [app] = await ask();
    assert.deepEqual(record(app), {appid: CAISSON_APP_ID, status: 'ok'});
    assert.deepEqual(
      app?.children.map((each) => [each.name, statusOf(each)]),
      [
        ['ping', 'ok'],
        ['event', 'ok'],
        ['updatecheck', 'ok'],
      ],
    );
    const check = child(app, 'updatecheck');
    assert.deepEqual(record(child(child(check, 'urls'), 'url')), {codebase: 'http://u.example/a/'});
    const manifest = child(check, 'manifest');
    assert.deepEqual(record(manifest), {version: '1.1.0'});
    assert.deepEqual(record(child(child(manifest, 'packages'), 'package')), {
      ...{name: 'update.payload', size: '300', required: 'true', hash: SHA1, hash_sha256: SHA256},
    });
    assert.deepEqual(record(child(child(manifest, 'actions'), 'action')), {
      ...{event: 'postinstall', sha256: SHA256_BASE64, needsadmin: 'false'},
      ...{IsDeltaPayload: 'false', DisablePayloadBackoff: 'true'},
    });
  });

  const asks: readonly (readonly [string, Changes, readonly [string, string | undefined]])[] = [
    ['asks with its group in capitals', {app: {track: 'STABLE'}}, ['ok', 'ok']],
    ['asks with the id of its group', {app: {track: GROUP_ID}}, ['ok', 'ok']],
    ['asks with the id that stable had at CoreOS', {app: {track: `{${LEGACY_STABLE}}`}}, ['ok', 'ok']],
    ['has an app id in capitals', {app: {appid: CAISSON_APP_ID.toUpperCase()}}, ['ok', 'ok']],
    ['was asked by a person', {request: 'installsource="ondemandupdate"'}, ['ok', 'ok']],
    ['would take a delta', {app: {delta_okay: 'true'}}, ['ok', 'ok']],
    [
      'is of Flatcar',
      {app: {machinealias: 'rack 4', multi_manifest_ok: 'true', nextversion: ''}},
      ['ok', 'ok'],
    ],
    ['counts days', {inner: '<ping active="1" a="5" r="7"></ping><updatecheck/>'}, ['ok', 'ok']],
    ['names no board', {app: {board: ''}, os: 'arch="x64"'}, ['ok', 'ok']],
    ['runs on something else', {app: {board: 'arm64-usr'}}, ['ok', 'error-osnotsupported']],
    [
      'runs on something else and names no board',
      {app: {board: ''}, os: 'arch="arm"'},
      ['ok', 'error-osnotsupported'],
    ],
    ['is up to date', {app: {version: '1.1.0'}}, ['ok', 'noupdate']],
    ['is ahead', {app: {version: '2.0.0'}}, ['ok', 'noupdate']],
    ['wants another series', {inner: '<updatecheck targetversionprefix="0.9"/>'}, ['ok', 'noupdate']],
    ['waits for its reboot', {inner: '<ping active="1"></ping>'}, ['ok', undefined]],
    ['tells that it begins', {inner: '<event eventtype="13" eventresult="1"></event>'}, ['ok', undefined]],
    [
      'tells a failure, with the flag of a server of one’s own',
      {inner: '<event eventtype="3" eventresult="0" errorcode="268435466"></event>'},
      ['ok', undefined],
    ],
    [
      'was put off',
      {inner: '<event eventtype="3" eventresult="9" errorcode="268435496"></event>'},
      ['ok', undefined],
    ],
    [
      'follows what is not there',
      {app: {track: 'lts'}},
      ['error-unknownApplicationOrGroup', 'error-internal'],
    ],
    ['is of another house', {app: {appid: OEM_APP}}, ['error-unknownApplication', 'error-internal']],
  ];
  for (const [name, changes, expected] of asks)
    it(`that ${name} is told ${expected.join(', ')}`, async () => {
      const [app] = await ask(changes);
      assert.deepEqual([statusOf(app), statusOf(child(app, 'updatecheck'))], expected);
    });

  it('with several apps gets as many answers, in their order', async () => {
    const others = `<app appid="${OEM_APP}" version="1"><updatecheck/></app><app appid="x"><ping/></app>`;
    const apps = await ask({others});
    assert.deepEqual(
      apps.map((app) => [app.attributes.get('appid'), statusOf(app), statusOf(child(app, 'updatecheck'))]),
      [
        [CAISSON_APP_ID, 'ok', 'ok'],
        [OEM_APP, 'error-unknownApplication', 'error-internal'],
        ['x', 'error-unknownApplication', undefined],
      ],
    );
  });
});
