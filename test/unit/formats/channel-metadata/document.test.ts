import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type ChannelDocument,
  formatChannelDocument,
  formatInstant,
  parseChannelDocument,
} from '../../../../formats/channel-metadata/document.ts';
import {MAX_DOCUMENT_BYTES} from '../../../../formats/channel-metadata/envelope.ts';
import {ChannelMetadataError} from '../../../../formats/channel-metadata/errors.ts';
import {DAY_MS, ISSUED, channelDocument, listed} from '../../../support/channel.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const parse = (value: unknown): ChannelDocument => parseChannelDocument(Buffer.from(JSON.stringify(value)));
const raw = (): Record<string, unknown> =>
  JSON.parse(formatChannelDocument(channelDocument()).toString()) as Record<string, unknown>;

describe('the document of a channel', () => {
  it('comes back as it was written, times in whole seconds', () => {
    const document = channelDocument({
      issued: ISSUED + 999,
      retreat: 90,
      spreadSeconds: 3600,
      withdrawn: ['1.0.9'],
    });
    assert.deepEqual(parseChannelDocument(formatChannelDocument(document)), {...document, issued: ISSUED});
    const empty = channelDocument({version: null, promoted: null, releases: [], groups: []});
    assert.deepEqual(parseChannelDocument(formatChannelDocument(empty)), empty);
  });

  it('is refused when it says what it must not', () => {
    const wrong: readonly Partial<ChannelDocument>[] = [
      {serial: 0},
      {serial: 1.5},
      {channel: '../x'},
      {expires: ISSUED},
      {expires: ISSUED + 801 * DAY_MS},
      {promoted: null},
      {version: '1.3.0'},
      {version: 'newest'},
      {retreat: 101},
      {spreadSeconds: -1},
      {releases: [listed('1.2.0'), listed('1.2.0', {bytes: 7})]},
      {releases: [listed('1.2.0', {bytes: 0})]},
      {releases: [listed('1.2.0', {urls: []})]},
      {releases: [listed('1.2.0', {sha256: 'A'.repeat(64)})]},
      {withdrawn: ['1.1.0']},
      {groups: Array.from({length: 501}, (_, index) => ({name: `g${index}`, id: null, pin: null}))},
    ];
    for (const changes of wrong)
      assert.throws(() => formatChannelDocument(channelDocument(changes)), ChannelMetadataError);
  });

  it('is refused with times that are none, unknown keys, and a format to come', () => {
    for (const issued of [
      '2026-02-30T00:00:00Z',
      '2026-11-21T21:30:00.000Z',
      '2026-11-21',
      1_795_000_000,
      'Z',
    ])
      assert.throws(() => parse({...raw(), issued}), ChannelMetadataError);
    assert.throws(() => parse({...raw(), more: 1}), /more: unknown key/);
    assert.throws(
      () => parse({...raw(), app: '{00000000-0000-0000-0000-000000000000}'}),
      ChannelMetadataError,
    );
    assert.throws(
      () => parse({...raw(), format: 2, all: 'new'}),
      /format 2, and this program knows format 1/,
    );
    assert.throws(() => parseChannelDocument(Buffer.alloc(MAX_DOCUMENT_BYTES + 1, ' ')), /more than/);
  });

  it('costs an error of its own kind, whatever the bytes are', () => {
    const bytes = formatChannelDocument(channelDocument());
    fc.assert(
      fc.property(fc.oneof(damaged(bytes), fc.uint8Array()), (other) => {
        succeedsOrThrows(ChannelMetadataError, () => parseChannelDocument(other));
      }),
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        succeedsOrThrows(ChannelMetadataError, () => parseChannelDocument(Buffer.from(text)));
      }),
    );
  });
});

describe('formatInstant', () => {
  it('gives nothing for no time', () => {
    assert.equal(formatInstant(Number.NaN), '');
    assert.equal(formatInstant(ISSUED), '2026-11-21T21:30:00Z');
  });
});
