/** Documents as clients and servers of the lineage write them, letter by letter, and ours beside them. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {OmahaError, type OmahaErrorCode} from '../../../../formats/omaha/errors.ts';
import {type CheckOutcome, readOutcome} from '../../../../formats/omaha/offer.ts';
import {
  CAISSON_APP_ID,
  type OmahaRequest,
  decodeRequest,
  encodeRequest,
} from '../../../../formats/omaha/request.ts';
import {type OmahaResponse, decodeResponse, encodeResponse} from '../../../../formats/omaha/response.ts';
import {decodeXml} from '../../../../formats/omaha/xml.ts';
import {
  SHA256,
  SHA256_BASE64,
  STOCK_ANSWER,
  STOCK_APP,
  STOCK_REQUEST,
} from '../../../fixtures/omaha-documents.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const outcomeOf = (text: string): CheckOutcome => readOutcome(decodeResponse(bytesOf(text)), STOCK_APP);

function refuses(code: OmahaErrorCode, text: string, pattern: RegExp): void {
  assert.throws(
    () => outcomeOf(text),
    (error: unknown) => error instanceof OmahaError && error.code === code && pattern.test(error.message),
  );
}

const REQUEST: OmahaRequest = {
  updaterVersion: 'caisson-1.2.3',
  installSource: 'ondemandupdate',
  os: {platform: 'Caisson', version: '1.2.3', sp: '1.2.3_x86_64', arch: 'x86_64'},
  apps: [
    {
      appId: CAISSON_APP_ID,
      version: '1.2.3',
      track: 'beta',
      board: 'amd64-usr',
      machineId: '0123456789abcdef0123456789abcdef',
      machineAlias: 'rack 4 <left> & "top"',
      bootId: '{0b4a3b9e-4f5c-4d6e-8f70-112233445566}',
      oem: 'qemu',
      oemVersion: '1',
      alephVersion: '1.0.0',
      deltaOkay: true,
      ping: true,
      updateCheck: {targetVersionPrefix: '1.4'},
      events: [
        {type: 3, result: 2, errorCode: null, previousVersion: ''},
        {type: 3, result: 0, errorCode: 44, previousVersion: null},
      ],
    },
  ],
};

describe('a request', () => {
  it('of a stock client is read', () => {
    const {apps, os, installSource, updaterVersion} = decodeRequest(bytesOf(STOCK_REQUEST));
    assert.deepEqual(
      {os, installSource, updaterVersion},
      {
        os: {platform: 'CoreOS', version: 'Chateau', sp: '1800.5.0_x86_64', arch: ''},
        installSource: 'scheduler',
        updaterVersion: 'update_engine-0.4.10',
      },
    );
    assert.deepEqual(apps, [
      {
        appId: STOCK_APP,
        version: '1800.5.0',
        track: 'stable',
        board: 'amd64-usr',
        machineId: '0123456789abcdef0123456789abcdef',
        machineAlias: '',
        bootId: '{0b4a3b9e-4f5c-4d6e-8f70-112233445566}',
        oem: 'ec2',
        oemVersion: '0.0.7',
        alephVersion: '1745.7.0',
        deltaOkay: false,
        ping: true,
        updateCheck: {targetVersionPrefix: ''},
        events: [{type: 3, result: 2, errorCode: null, previousVersion: ''}],
      },
    ]);
  });

  it('of ours has what a stock one has, attribute by attribute', () => {
    const [stock, ours] = [bytesOf(STOCK_REQUEST), encodeRequest(REQUEST)].map(decodeXml);
    const missing = (from: typeof stock, to: typeof stock): string[] => [
      ...[...(from?.attributes.keys() ?? [])].filter((name) => to?.attributes.has(name) !== true),
      ...(from?.children ?? []).flatMap((child) =>
        missing(
          child,
          to?.children.find(({name}) => name === child.name),
        ),
      ),
    ];
    assert.deepEqual(missing(stock, ours), []);
  });

  it('comes back as it was', () => assert.deepEqual(decodeRequest(encodeRequest(REQUEST)), REQUEST));

  it('with events only has neither ping nor updatecheck', () => {
    const [app] = REQUEST.apps;
    assert.ok(app !== undefined);
    const bytes = encodeRequest({...REQUEST, apps: [{...app, ping: false, updateCheck: null}]});
    assert.doesNotMatch(Buffer.from(bytes).toString(), /<(ping|updatecheck)/);
    assert.equal(decodeRequest(bytes).apps[0]?.updateCheck, null);
  });

  const faulty: [string, string, RegExp][] = [
    ['another protocol', STOCK_REQUEST.replace('protocol="3.0"', 'protocol="2.0"'), /protocol "2.0"/],
    ['another document', '<response protocol="3.0"/>', /not response/],
    ['an app without id', '<request protocol="3.0"><app/></request>', /app has no appid/],
    [
      'an event of no type',
      STOCK_REQUEST.replace('eventtype="3"', 'eventtype="three"'),
      /eventtype is "three"/,
    ],
    [
      'a negative error code',
      STOCK_REQUEST.replace('eventresult="2"', 'eventresult="-2"'),
      /eventresult is "-2"/,
    ],
    [
      'too many apps',
      `<request protocol="3.0">${'<app appid="a"/>'.repeat(17)}</request>`,
      /17 times app, more than 16/,
    ],
    ['a value without end', STOCK_REQUEST.replace('stable', 'x'.repeat(5000)), /track has 5000 characters/],
  ];
  for (const [name, text, pattern] of faulty)
    it(`is refused with ${name}`, () => assert.throws(() => decodeRequest(bytesOf(text)), pattern));
});

describe('an answer', () => {
  it('of a stock server is an offer', () => {
    assert.deepEqual(outcomeOf(STOCK_ANSWER), {
      pollSeconds: null,
      hold: null,
      offer: {
        version: '1855.4.0',
        urls: [
          'https://update.example.com/amd64-usr/1855.4.0/update.gz',
          'http://mirror.example.com/x/update.gz',
        ],
        bytes: 300_000_000,
        sha256: SHA256,
        isDelta: false,
        disableBackoff: true,
        maxFailuresPerUrl: 10,
      },
    });
  });

  it('may have the hash of the package in base64', () => {
    const text = STOCK_ANSWER.replace(SHA256, SHA256_BASE64);
    assert.equal(outcomeOf(text).offer?.sha256, SHA256);
  });

  it('may say that there is nothing, and when to ask again', () => {
    const answer = (attributes: string): string =>
      `<response protocol="3.0"><app appid="${STOCK_APP}" status="ok"><updatecheck ${attributes}/></app></response>`;
    assert.deepEqual(outcomeOf(answer('status="noupdate"')), {offer: null, hold: null, pollSeconds: null});
    for (const [wish, seconds] of [
      [0, 2700],
      [2699, 2700],
      [3600, 3600],
      [14_401, 14_400],
      [9_000_000_000, 14_400],
    ])
      assert.deepEqual(outcomeOf(answer(`status="noupdate" PollInterval="${wish}"`)), {
        offer: null,
        hold: null,
        pollSeconds: seconds,
      });
  });

  it("does not look at the app's status when there is an update, as stock clients do not", () => {
    assert.ok(outcomeOf(STOCK_ANSWER.replace('status="ok">', 'status="error-internal">')).offer !== null);
  });

  it('for several apps is read for ours', () => {
    const other = '<app appid="{other}" status="ok"><updatecheck status="noupdate"/></app>';
    assert.ok(outcomeOf(STOCK_ANSWER.replace('  <app appid', `${other}<app appid`)).offer !== null);
  });

  it('that refuses says why', () => {
    refuses(
      'refused',
      `<response protocol="3.0"><app appid="${STOCK_APP}" status="error-updatesDisabled"><updatecheck status="error-internal"/></app></response>`,
      /error-updatesDisabled \(error-internal\)/,
    );
    refuses(
      'refused',
      '<response protocol="3.0"><app status="error-unknownApplication"/></response>',
      /error-unknownApplication/,
    );
    refuses('refused', '<response protocol="3.0"><app><updatecheck/></app></response>', /no status/);
  });

  const faulty: [string, (text: string) => string, RegExp][] = [
    ['no app', () => '<response protocol="3.0"/>', /no updatecheck/],
    ['no url', (text) => text.replace(/<urls>.*<\/urls>/, ''), /no url/],
    [
      'an empty codebase',
      (text) => text.replace(/codebase="https[^"]*"/, 'codebase=""'),
      /url has no codebase/,
    ],
    ['an address of another kind', (text) => text.replace('https:', 'ftp:'), /no HTTP address/],
    ['an address with one slash', (text) => text.replace('https://', 'https:/'), /no HTTP address/],
    ['an address with a blank', (text) => text.replace('/amd64-usr', '/ amd64'), /no HTTP address/],
    ['no package', (text) => text.replace(/<packages>[\s\S]*<\/packages>/, ''), /no package/],
    ['no size', (text) => text.replace('size="300000000"', ''), /update\.gz without a size/],
    ['a size of nothing', (text) => text.replace('size="300000000"', 'size="0"'), /without a size/],
    ['a size beyond numbers', (text) => text.replace('300000000', '9'.repeat(16)), /no count/],
    ['no action', (text) => text.replace(/<action .*<\/action>/, ''), /no action/],
    ['no hash', (text) => text.replace(`sha256="${SHA256_BASE64}"`, ''), /without sha256/],
    ['a hash that is none', (text) => text.replace(SHA256_BASE64, 'aGVsbG8='), /no SHA-256/],
    ['two hashes', (text) => text.replace(SHA256, '0'.repeat(64)), /two hashes/],
    [
      'a version with a line feed',
      (text) => text.replace('version="1855.4.0"', 'version="1&#10;2"'),
      /version "1\\n2"/,
    ],
    ['another protocol', (text) => text.replace('"3.0"', '"3.1"'), /protocol "3.1"/],
  ];
  for (const [name, change, pattern] of faulty)
    it(`is refused with ${name}`, () => refuses('bad-document', change(STOCK_ANSWER), pattern));

  it('of ours comes back as it was', () => {
    const response: OmahaResponse = {
      server: 'caisson',
      apps: [
        {
          appId: CAISSON_APP_ID,
          status: 'ok',
          ping: true,
          events: 2,
          updateCheck: {
            status: 'ok',
            pollSeconds: 2700,
            codebases: ['http://a.example/x/', 'http://b.example/y/'],
            hold: null,
            manifest: {
              version: '1.4.0',
              packages: [
                {
                  name: 'payload',
                  bytes: 5,
                  sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00=',
                  sha256: SHA256,
                  required: true,
                },
              ],
              actions: [
                {
                  event: 'postinstall',
                  sha256: SHA256,
                  isDelta: true,
                  disableBackoff: true,
                  maxFailuresPerUrl: 3,
                },
              ],
            },
          },
        },
      ],
    };
    assert.deepEqual(decodeResponse(encodeResponse(response)), response);
  });

  it('carries why a host has to wait, which clients that do not know it pass over', () => {
    const holds = [
      {
        reason: 'pace',
        version: '1.4.0',
        position: 12,
        notBefore: 1_767_000_000,
        detail: 'its turn <has> "not" come',
      },
      {reason: 'halted', version: '1.4.0', position: null, notBefore: null, detail: ''},
    ];
    for (const hold of holds) {
      const updateCheck = {status: 'noupdate', pollSeconds: null, codebases: [], manifest: null, hold};
      const app = {appId: CAISSON_APP_ID, status: 'ok', ping: true, events: 0, updateCheck};
      const response = {server: 'caisson', apps: [app]};
      const read = decodeResponse(encodeResponse(response));
      assert.deepEqual(read, response);
      assert.deepEqual(readOutcome(read, CAISSON_APP_ID), {offer: null, hold, pollSeconds: null});
    }
  });

  it('survives damage', () => {
    fc.assert(
      fc.property(damaged(bytesOf(STOCK_ANSWER)), (bad) =>
        succeedsOrThrows(OmahaError, () => readOutcome(decodeResponse(bad), STOCK_APP)),
      ),
      {numRuns: 2000},
    );
    fc.assert(
      fc.property(damaged(bytesOf(STOCK_REQUEST)), (bad) =>
        succeedsOrThrows(OmahaError, () => decodeRequest(bad)),
      ),
      {numRuns: 2000},
    );
  });
});
