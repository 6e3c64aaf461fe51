import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type Channels,
  channelOfTrack,
  formatChannels,
  parseChannels,
  promote,
} from '../../../server/channels.ts';
import {ServerError} from '../../../server/errors.ts';

const at = 1_700_000_000_000;
const to = (version: string, allowDowngrade = false): Parameters<typeof promote>[1] => ({
  version,
  channel: 'beta',
  allowDowngrade,
  at,
});

describe('promote', () => {
  it('points one channel to a release, and remembers where it pointed', () => {
    const channels = ['1.0.0', '1.1.0', '1.2.0'].reduce(
      (before: Channels, version) => promote(before, to(version)),
      {},
    );
    assert.deepEqual(channels, {
      beta: {version: '1.2.0', promotedAt: at, allowDowngrade: false, past: ['1.1.0', '1.0.0']},
    });
    assert.deepEqual(promote(channels, to('1.2.0')).beta?.past, ['1.1.0', '1.0.0']);
  });

  it('goes back only when that is meant', () => {
    const channels = promote({}, to('1.1.0'));
    assert.throws(
      () => promote(channels, to('1.1.0-rc.1')),
      (error: unknown) =>
        error instanceof ServerError && error.code === 'older' && /beta is at 1\.1\.0/.test(error.message),
    );
    const back = promote(channels, to('1.0.0', true)).beta;
    assert.deepEqual([back?.version, back?.allowDowngrade, back?.past], ['1.0.0', true, ['1.1.0']]);
  });

  it('does not remember for ever', () => {
    let channels: Channels = {};
    for (let patch = 0; patch < 300; patch += 1) channels = promote(channels, to(`1.0.${patch}`));
    assert.equal(channels.beta?.past.length, 100);
    assert.deepEqual(parseChannels(formatChannels(channels), 'x'), channels);
  });
});

describe('parseChannels', () => {
  for (const [name, text] of [
    ['no JSON', '{'],
    ['another format', '{"format":"x","channels":{}}'],
    ['a channel of another name', '{"format":"caisson-channels-1","channels":{"edge":{}}}'],
    [
      'a version that is a path',
      formatChannels({beta: {version: '../x', promotedAt: 0, allowDowngrade: false, past: []}}),
    ],
  ] as const)
    it(`refuses ${name}`, () =>
      assert.throws(() => parseChannels(text, '/r/channels.json'), /^ServerError: \/r\/channels\.json/));
});

describe('channelOfTrack', () => {
  const cases: [string, string | null][] = [
    ['stable', 'stable'],
    ['Beta', 'beta'],
    ['{5b810680-e36a-4879-b98a-4f989e80b899}', 'alpha'],
    ['9A2DEB70-37be-4026-853f-bfdd6b347bbe', 'stable'],
    ['edge', null],
    ['constructor', null],
    ['', null],
  ];
  for (const [track, channel] of cases)
    it(`takes ${JSON.stringify(track)} for ${channel}`, () => assert.equal(channelOfTrack(track), channel));
});
