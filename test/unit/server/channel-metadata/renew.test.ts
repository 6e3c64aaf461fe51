import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {openChannel} from '../../../../formats/channel-metadata/channel-file.ts';
import type {ChannelDocument} from '../../../../formats/channel-metadata/document.ts';
import {type ChannelContent, contentOf} from '../../../../server/channel-metadata/content.ts';
import {renew} from '../../../../server/channel-metadata/renew.ts';
import {createChannelSigner} from '../../../../server/channel-metadata/signer.ts';
import {CHANNEL_KEY, DAY_MS, ISSUED} from '../../../support/channel.ts';
import {OTHER_KEY} from '../../../support/payload.ts';
import {fc} from '../../../support/property.ts';

const SETTINGS = {lifetimeMs: 7 * DAY_MS, refreshMs: DAY_MS};
const RELEASES = new Map(
  ['1.0.0', '1.1.0', '1.2.0'].map((version) => [
    version,
    {version, bytes: 1000, sha256: Buffer.from(version).toString('hex').padEnd(64, '0'), sha1: ''},
  ]),
);

function content(version: string | null, withdrawn: readonly string[] = []): ChannelContent {
  return contentOf({
    ...{name: 'stable', version, promotedAt: ISSUED, allowDowngrade: false, others: ['1.0.0', '0.9.0']},
    groups: [{name: 'edge', id: null, pin: '1.1.0'}],
    ...{withdrawn, releases: RELEASES, spreadSeconds: 0},
  });
}

describe('contentOf', () => {
  it('lists what the channel and its groups may lead to, as far as it can be had', () => {
    assert.deepEqual(
      content('1.2.0').releases.map(({version}) => version),
      ['1.2.0', '1.1.0', '1.0.0'],
    );
    assert.equal(content('0.9.0').version, null);
    const {version, releases, withdrawn} = content('1.2.0', ['1.2.0']);
    assert.deepEqual([version, releases.length, withdrawn], ['1.2.0', 2, ['1.2.0']]);
  });
});

describe('renew', () => {
  const first = renew(content('1.1.0'), null, ISSUED, SETTINGS);

  it('begins with the time as its number', () => {
    assert.deepEqual([first?.serial, first?.issued, first?.retreat], [ISSUED / 1000, ISSUED, null]);
  });

  it('signs anew after a while, and at once when something changed', () => {
    assert.equal(renew(content('1.1.0'), first, ISSUED + DAY_MS - 1, SETTINGS), null);
    assert.notEqual(renew(content('1.1.0'), first, ISSUED + DAY_MS, SETTINGS), null);
    assert.notEqual(renew(content('1.2.0'), first, ISSUED + 1, SETTINGS), null);
  });

  it('says when the channel was moved back, and keeps saying it', () => {
    const up = renew(content('1.2.0'), first, ISSUED + 1000, SETTINGS);
    const back = renew(content('1.1.0'), up, ISSUED + 2000, SETTINGS);
    assert.equal(back?.retreat, back?.serial);
    const on = renew(content('1.2.0'), back, ISSUED + 3000, SETTINGS);
    assert.equal(on?.retreat, back?.serial);
  });

  it('never repeats a number or lets a date go back, whatever the clock does', () => {
    const step = fc.record({
      at: fc.integer({min: 0, max: 60}).map((days) => days * DAY_MS),
      version: fc.constantFrom('1.0.0', '1.1.0', '1.2.0', null),
    });
    fc.assert(
      fc.property(fc.array(step, {maxLength: 30}), (steps) => {
        let before: ChannelDocument | null = null;
        for (const {at, version} of steps) {
          const next: ChannelDocument | null = renew(content(version), before, at, SETTINGS);
          if (next === null) continue;
          if (before !== null) {
            assert.ok(next.serial > before.serial && next.issued >= before.issued);
            assert.ok(next.expires - next.issued === SETTINGS.lifetimeMs);
          }
          before = next;
        }
      }),
    );
  });
});

describe('a signer', () => {
  it('keeps what it signs before it gives it out, one at a time, and signs anew with another key', async () => {
    const kept: Uint8Array[] = [];
    const made = (keys: readonly (typeof CHANNEL_KEY.privateKey)[]) =>
      createChannelSigner({
        ...{keys, settings: SETTINGS, now: () => ISSUED, onLine: () => undefined},
        kept: {
          read: () => Promise.resolve(kept.at(-1) ?? null),
          write: (_name, _serial, bytes) => Promise.resolve(void kept.push(bytes)),
        },
      });
    const signer = made([CHANNEL_KEY.privateKey]);
    const all = await Promise.all(
      ['1.1.0', '1.1.0', '1.2.0'].map((version) => signer.sign(content(version))),
    );
    assert.equal(new Set(all.map(({document}) => document.serial)).size, 2);
    assert.equal(kept.length, 2);
    const both = await made([CHANNEL_KEY.privateKey, OTHER_KEY.privateKey]).sign(content('1.2.0'));
    assert.equal(kept.length, 3);
    for (const {publicKey} of [CHANNEL_KEY, OTHER_KEY])
      assert.equal(openChannel(both.bytes, [publicKey], 'edge').document.serial, both.document.serial);
  });

  it('gives out nothing that could not be kept', async () => {
    const signer = createChannelSigner({
      ...{keys: [CHANNEL_KEY.privateKey], settings: SETTINGS, now: () => ISSUED, onLine: () => undefined},
      kept: {read: () => Promise.resolve(null), write: () => Promise.reject(new Error('disk full'))},
    });
    await assert.rejects(signer.sign(content('1.1.0')), /disk full/);
  });
});
