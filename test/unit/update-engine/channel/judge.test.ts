import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {describe, it} from 'node:test';
import {type ChannelDocument, formatChannelDocument} from '../../../../formats/channel-metadata/document.ts';
import {ChannelMetadataError} from '../../../../formats/channel-metadata/errors.ts';
import {compareVersions} from '../../../../formats/version.ts';
import {HttpError} from '../../../../platform/http-error.ts';
import {
  type ChannelQuestion,
  type Fetched,
  type Judgement,
  type Seen,
  judgeChannel,
  judgeOffer,
  withheld,
} from '../../../../update-engine/channel/judge.ts';
import {DAY_MS, ISSUED, channelDocument, listed} from '../../../support/channel.ts';
import {fc} from '../../../support/property.ts';

const NOW = ISSUED + DAY_MS;
const HOST = {running: '1.1.0', follower: 'stable'};
const MISSING: Fetched = {kind: 'missing', error: new HttpError('bad-status', 'answered 404', {status: 404})};
const UNTRUSTED: Fetched = {kind: 'untrusted', error: new ChannelMetadataError('untrusted', 'another key')};

function seenOf(document: ChannelDocument): Seen {
  const text = formatChannelDocument(document).toString();
  return {document, text, digest: createHash('sha256').update(text).digest('hex')};
}

function fetchedOf(changes: Partial<ChannelDocument> = {}): Fetched {
  return {kind: 'document', ...seenOf(channelDocument(changes))};
}

function judge(changes: Partial<ChannelQuestion>): Judgement {
  return judgeChannel({fetched: fetchedOf(), seen: null, now: NOW, madeAt: ISSUED - 30 * DAY_MS, ...changes});
}

const codes = ({findings}: Judgement): string => findings.map(({code}) => code).join();
const offer = (judgement: Judgement, version: string, host = HOST): string | null =>
  judgeOffer(judgement, listed(version), host);

describe('a channel file', () => {
  it('that is valid and new is believed and remembered', () => {
    const judgement = judge({seen: seenOf(channelDocument({serial: 99}))});
    assert.deepEqual([judgement.standing, judgement.isFresh, codes(judgement)], ['current', true, '']);
    assert.equal(judgement.seen?.document.serial, 100);
  });

  it('that was seen before is believed again', () => {
    assert.equal(judge({seen: seenOf(channelDocument())}).standing, 'current');
  });

  it('that is missing or not trusted is a warning, and what was seen before counts', () => {
    for (const [fetched, code] of [
      [MISSING, 'missing'],
      [UNTRUSTED, 'untrusted'],
    ] as const) {
      const judgement = judge({fetched, seen: seenOf(channelDocument())});
      assert.deepEqual([judgement.standing, judgement.isFresh, codes(judgement)], ['doubtful', false, code]);
      assert.equal(judgement.basis?.serial, 100);
      const unknown = judge({fetched});
      assert.deepEqual([unknown.basis, offer(unknown, '1.0.0')], [null, null]);
    }
  });

  it('that has expired is a warning that says since when', () => {
    const judgement = judge({now: ISSUED + 8 * DAY_MS});
    assert.deepEqual([judgement.standing, codes(judgement)], ['doubtful', 'expired']);
    assert.match(
      judgement.findings[0]?.detail ?? '',
      /not been signed anew since 2026-11-21T21:30:00Z.*stale mirror/,
    );
    assert.equal(judge({now: ISSUED + 7 * DAY_MS - 1}).standing, 'current');
  });

  it('is not called expired by a clock that is wrong', () => {
    const judgement = judge({now: 0});
    assert.equal(codes(judgement), 'clock');
    assert.match(judgement.findings[0]?.detail ?? '', /the clock says 1970-01-01T00:00:00Z/);
    assert.equal(codes(judge({now: ISSUED - DAY_MS})), 'clock');
    assert.equal(codes(judge({now: ISSUED - 60_000, madeAt: null})), '');
  });

  it('with a lower number goes backwards, and nothing is taken then', () => {
    const judgement = judge({seen: seenOf(channelDocument({serial: 101}))});
    assert.deepEqual(
      [judgement.standing, codes(judgement), judgement.seen?.document.serial],
      ['backwards', 'older', 101],
    );
    for (const version of ['1.0.0', '1.2.0', '9.0.0'])
      assert.match(
        offer(judgement, version) ?? '',
        /number 100.*after number 101.*caissonctl channel forget/,
      );
  });

  it('with the same number and other content goes backwards', () => {
    assert.equal(codes(judge({seen: seenOf(channelDocument({allowDowngrade: true}))})), 'forked');
  });

  it('with an older release goes backwards unless its signer means it', () => {
    const before = seenOf(channelDocument({serial: 90, version: '1.3.0', releases: [listed('1.3.0')]}));
    const back = judge({seen: before});
    assert.deepEqual([back.standing, codes(back), back.seen], ['backwards', 'moved-back', before]);
    assert.equal(judge({seen: before, fetched: fetchedOf({retreat: 95})}).standing, 'current');
    // It was moved back once, before that; not since.
    assert.equal(judge({seen: before, fetched: fetchedOf({retreat: 90})}).standing, 'backwards');
    const empty = fetchedOf({version: null, promoted: null});
    assert.equal(codes(judge({seen: before, fetched: empty})), 'moved-back');
  });
});

describe('an offer', () => {
  it('that the channel lists is taken', () => {
    assert.equal(offer(judge({}), '1.2.0'), null);
    assert.equal(offer(judge({}), '1.1.0', {...HOST, running: '1.0.0'}), null);
  });

  it('with other bytes than the channel names is refused', () => {
    const judgement = judge({});
    assert.match(judgeOffer(judgement, {...listed('1.2.0'), sha256: 'f'.repeat(64)}, HOST) ?? '', /SHA-256/);
    assert.match(judgeOffer(judgement, {...listed('1.2.0'), bytes: 7}, HOST) ?? '', /1000 bytes, and 7 are/);
  });

  it('that the channel does not list is refused, if the channel is known as it is now', () => {
    assert.match(offer(judge({}), '1.3.0') ?? '', /does not have it/);
    const stale = judge({now: ISSUED + 8 * DAY_MS});
    assert.equal(offer(stale, '1.3.0'), null);
    assert.match(offer(stale, '1.1.5') ?? '', /was at 1\.2\.0 already/);
    assert.match(offer(stale, 'newest') ?? '', /does not have it/);
  });

  it('that the channel has withdrawn is refused, also by what was seen before', () => {
    const seen = seenOf(channelDocument({releases: [listed('1.1.0')], withdrawn: ['1.2.0']}));
    assert.match(offer(judge({seen, fetched: MISSING}), '1.2.0') ?? '', /withdrawn/);
  });

  it('that is older than what runs is refused unless the channel is there', () => {
    const newer = {...HOST, running: '1.5.0'};
    assert.match(offer(judge({}), '1.1.0', newer) ?? '', /does not go back to it/);
    assert.equal(offer(judge({}), '1.2.0', newer), null);
    const pinned = judge({fetched: fetchedOf({groups: [{name: 'edge', id: null, pin: '1.1.0'}]})});
    assert.equal(offer(pinned, '1.1.0', {running: '1.5.0', follower: 'EDGE'}), null);
  });
});

describe('withheld', () => {
  it('tells of a release that the channel has and the server keeps to itself', () => {
    assert.equal(withheld(judge({}), HOST)?.finding.code, 'withheld');
    assert.equal(withheld(judge({}), {...HOST, running: '1.2.0'}), null);
    assert.equal(withheld(judge({now: ISSUED + 8 * DAY_MS}), HOST), null);
    const pinned = judge({fetched: fetchedOf({groups: [{name: 'edge', id: null, pin: '1.1.0'}]})});
    assert.equal(withheld(pinned, {running: '1.1.0', follower: 'edge'}), null);
  });
});

const versions = ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '2.0.0'] as const;
const documents = fc
  .record({
    serial: fc.integer({min: 1, max: 8}),
    version: fc.constantFrom(...versions),
    issued: fc.integer({min: 0, max: 20}).map((days) => ISSUED + days * DAY_MS),
    retreat: fc.option(fc.integer({min: 1, max: 8})),
    withdrawn: fc.subarray([...versions]),
  })
  .map(({serial, version, issued, retreat, withdrawn}) =>
    channelDocument({
      ...{serial, version, issued, withdrawn},
      expires: issued + 7 * DAY_MS,
      promoted: issued,
      retreat: retreat === null || retreat > serial ? null : retreat,
      releases: versions
        .filter((each) => compareVersions(each, version) <= 0 && !withdrawn.includes(each))
        .map((each) => listed(each)),
    }),
  );
const answers = fc.oneof(
  {weight: 4, arbitrary: documents.map((each): Fetched => ({kind: 'document', ...seenOf(each)}))},
  fc.constantFrom(MISSING, UNTRUSTED),
);
const history = fc.array(
  fc.record({
    fetched: answers,
    now: fc.integer({min: -40, max: 40}).map((days) => ISSUED + days * DAY_MS),
    offered: fc.constantFrom(...versions),
    running: fc.constantFrom(...versions),
  }),
  {maxLength: 20},
);

describe('whatever servers and mirrors answer, in any order', () => {
  it('what was seen never goes backwards', () => {
    fc.assert(
      fc.property(history, (steps) => {
        let seen: Seen | null = null;
        for (const {fetched, now} of steps) {
          const judgement = judgeChannel({fetched, seen, now, madeAt: ISSUED});
          if (seen !== null) {
            assert.ok(judgement.seen !== null && judgement.seen.document.serial >= seen.document.serial);
            if (judgement.seen.document.serial === seen.document.serial)
              assert.equal(judgement.seen.digest, seen.digest);
          }
          seen = judgement.seen;
        }
      }),
    );
  });

  it('no offer passes that is withdrawn, or below what was seen and not of the channel', () => {
    fc.assert(
      fc.property(history, (steps) => {
        let seen: Seen | null = null;
        for (const {fetched, now, offered, running} of steps) {
          const judgement = judgeChannel({fetched, seen, now, madeAt: ISSUED});
          const reason = judgeOffer(judgement, listed(offered), {running, follower: 'stable'});
          if (judgement.standing === 'backwards') assert.notEqual(reason, null);
          if (reason === null && judgement.basis !== null) {
            const {releases, withdrawn, version} = judgement.basis;
            assert.ok(!withdrawn.includes(offered));
            const isListed = releases.some((each) => each.version === offered);
            assert.ok(isListed || (!judgement.isFresh && compareVersions(offered, version ?? '0.0.0') > 0));
          }
          seen = judgement.seen;
        }
      }),
    );
  });

  it('a host is never cut off from where its channel is, once a file is believed', () => {
    fc.assert(
      fc.property(
        documents,
        fc.array(fc.constantFrom(MISSING, UNTRUSTED), {maxLength: 3}),
        (document, rest) => {
          fc.pre(document.version !== null && !document.withdrawn.includes(document.version));
          const own: Fetched = {kind: 'document', ...seenOf(document)};
          let {seen} = judgeChannel({fetched: own, seen: null, now: ISSUED, madeAt: null});
          for (const fetched of [own, ...rest]) {
            const judgement = judgeChannel({fetched, seen, now: ISSUED + 900 * DAY_MS, madeAt: null});
            const host = {running: '0.9.0', follower: 'stable'};
            assert.equal(judgeOffer(judgement, listed(document.version), host), null);
            ({seen} = judgement);
          }
        },
      ),
    );
  });
});
