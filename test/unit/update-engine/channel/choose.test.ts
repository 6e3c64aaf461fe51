import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {chooseRelease, turnOf} from '../../../../update-engine/channel/choose.ts';
import {addressesOf} from '../../../../update-engine/channel/offer.ts';
import {DAY_MS, ISSUED, channelDocument, listed} from '../../../support/channel.ts';
import {fc} from '../../../support/property.ts';

const DOCUMENT = channelDocument({
  version: '2.0.0',
  releases: ['2.1.0', '2.0.0', '1.9.0', '1.8.0'].map((version) => listed(version)),
  groups: [
    {name: 'stable', id: null, pin: null},
    {name: 'edge', id: null, pin: '2.1.0'},
  ],
});

function choose(running: string, changes: {prefix?: string; follower?: string} = {}): string | null {
  const chooser = {running, follower: 'stable', prefix: '', ...changes};
  return chooseRelease(DOCUMENT, chooser)?.version ?? null;
}

describe('chooseRelease', () => {
  it('gives what the channel points to, when that is newer', () => {
    assert.deepEqual(
      [choose('1.0.0'), choose('2.0.0'), choose('3.0.0'), choose('what')],
      ['2.0.0', null, null, null],
    );
    assert.equal(choose('1.0.0', {follower: 'EDGE'}), '2.1.0');
  });

  it('gives a host with a prefix the newest of it, but nothing beyond the channel', () => {
    assert.equal(choose('1.0.0', {prefix: '1'}), '1.9.0');
    assert.equal(choose('1.0.0', {prefix: '1.8'}), '1.8.0');
    assert.equal(choose('1.9.0', {prefix: '1'}), null);
    assert.equal(choose('1.0.0', {prefix: '2'}), '2.0.0');
    assert.equal(choose('1.0.0', {prefix: '2.1.0'}), null);
  });

  it('goes back only to where the channel is, when that is allowed', () => {
    const back = {...DOCUMENT, allowDowngrade: true};
    const chooser = {running: '3.0.0', follower: 'stable', prefix: ''};
    assert.equal(chooseRelease(back, chooser)?.version, '2.0.0');
    assert.equal(chooseRelease(back, {...chooser, prefix: '1'}), null);
  });
});

describe('turnOf', () => {
  it('is at once without a spread', () => {
    assert.equal(turnOf(channelDocument(), '1.2.0', 'm'), null);
  });

  it('lies within the spread, evenly, and is the same for the same machine', () => {
    const document = channelDocument({spreadSeconds: 100_000, promoted: ISSUED});
    const turns = Array.from(
      {length: 1000},
      (_, index) => turnOf(document, '1.2.0', `machine-${index}`) ?? 0,
    );
    const halves = turns.filter((turn) => turn < ISSUED + 50_000_000).length;
    assert.ok(halves > 440 && halves < 560, `${halves} of 1000 in the first half`);
    fc.assert(
      fc.property(fc.string(), fc.integer({min: 1, max: 90 * 86_400}), (machineId, spreadSeconds) => {
        const spread = {...document, spreadSeconds};
        const turn = turnOf(spread, '1.2.0', machineId) ?? -1;
        assert.ok(turn >= ISSUED && turn < ISSUED + spreadSeconds * 1000);
        assert.equal(turnOf({...spread, serial: 7, issued: ISSUED + DAY_MS}, '1.2.0', machineId), turn);
      }),
    );
    assert.notEqual(turnOf(document, '1.2.0', 'm'), turnOf(document, '1.3.0', 'm'));
  });
});

describe('addressesOf', () => {
  const of = (url: string, from: string): string[] => addressesOf(listed('1.0.0', {urls: [url]}), from);

  it('counts from the channel file', () => {
    assert.deepEqual(of('../payloads/x', 'https://h/sub/channels/stable.json'), ['https://h/sub/payloads/x']);
    assert.deepEqual(of('http://cdn/x', 'https://h/channels/stable.json'), ['http://cdn/x']);
    assert.deepEqual(of('../payloads/x', 'file:///media/stick/channels/stable.json'), [
      'file:///media/stick/payloads/x',
    ]);
  });

  it('leaves out what a web server has no business to name', () => {
    for (const url of ['file:///etc/shadow', 'ftp://h/x', 'data:,x', 'http://['])
      assert.deepEqual(of(url, 'https://h/channels/stable.json'), []);
  });
});
