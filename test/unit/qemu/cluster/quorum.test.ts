import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type HealthSample, judgeQuorum} from '../../../../qemu/cluster/quorum.ts';

const MEMBERS = ['a', 'b', 'c'];

/** `+` and `-` for each ten milliseconds of a member: an answer that came five after it was asked for. */
function history(lines: Readonly<Record<string, string>>): HealthSample[] {
  return Object.entries(lines)
    .flatMap(([member, line]) =>
      [...line].flatMap((sign, index) =>
        sign === ' '
          ? []
          : {
              member,
              askedMs: 10 * index,
              answeredMs: 10 * index + 5,
              isHealthy: sign === '+',
              reason: sign === '+' ? null : 'away',
            },
      ),
    )
    .sort((a, b) => a.askedMs - b.askedMs);
}

function fewest(lines: Readonly<Record<string, string>>): number {
  return judgeQuorum(history(lines), MEMBERS).fewestHealthy;
}

describe('judgeQuorum', () => {
  it('finds nothing in a history without outages', () => {
    const report = judgeQuorum(history({a: '+++', b: '+++', c: '+++'}), MEMBERS);
    assert.deepEqual(report, {
      samples: 9,
      fewestHealthy: 3,
      outages: [],
      losses: [],
      longestSilenceMs: 10,
    });
  });

  it('counts an outage from the last good answer to the next', () => {
    const {outages} = judgeQuorum(history({a: '++--+', b: '+++++', c: '+++++'}), MEMBERS);
    assert.deepEqual(outages, [{member: 'a', fromMs: 15, untilMs: 45, reason: 'away'}]);
  });

  it('counts from the first question when there was no good answer before', () => {
    const {outages} = judgeQuorum(history({a: '-+', b: '++', c: '++'}), MEMBERS);
    assert.deepEqual([outages[0]?.fromMs, outages[0]?.untilMs], [0, 15]);
  });

  it('leaves an outage open that has no end', () => {
    const report = judgeQuorum(history({a: '+--', b: '+--', c: '+++'}), MEMBERS);
    assert.deepEqual(
      report.outages.map(({untilMs}) => untilMs),
      [null, null],
    );
    assert.deepEqual(report.losses, [{fromMs: 5, untilMs: null, healthy: 1}]);
  });

  it('sees one after the other as two that are left', () => {
    assert.equal(fewest({a: '+-+++++++', b: '++++-++++', c: '+++++++-+'}), 2);
  });

  it('sees outages that overlap', () => {
    const report = judgeQuorum(history({a: '+---+++', b: '+++---+', c: '+++++++'}), MEMBERS);
    assert.equal(report.fewestHealthy, 1);
    assert.deepEqual(report.losses, [{fromMs: 25, untilMs: 45, healthy: 1}]);
  });

  it('sees outages that touch as overlapping', () => {
    const samples: HealthSample[] = [
      {member: 'a', askedMs: 0, answeredMs: 5, isHealthy: true, reason: null},
      {member: 'a', askedMs: 6, answeredMs: 7, isHealthy: false, reason: 'away'},
      {member: 'a', askedMs: 8, answeredMs: 20, isHealthy: true, reason: null},
      {member: 'b', askedMs: 0, answeredMs: 20, isHealthy: true, reason: null},
      {member: 'b', askedMs: 21, answeredMs: 22, isHealthy: false, reason: 'away'},
      {member: 'c', askedMs: 0, answeredMs: 5, isHealthy: true, reason: null},
    ];
    assert.equal(judgeQuorum(samples, MEMBERS).fewestHealthy, 1);
  });

  it('cannot overlook an outage that lies between two samples of others', () => {
    assert.equal(fewest({a: '+   -   +', b: '+ - +++++', c: '+++++++++'}), 1);
  });

  it('tells how few they were in the worst moment of a loss', () => {
    const {losses} = judgeQuorum(history({a: '+-----+', b: '++---++', c: '+++-+++'}), MEMBERS);
    assert.deepEqual(losses, [{fromMs: 15, untilMs: 55, healthy: 0}]);
  });

  it('does not take a member for healthy that was never asked', () => {
    const report = judgeQuorum(history({a: '++', b: '++'}), MEMBERS);
    assert.equal(report.fewestHealthy, 2);
    assert.equal(judgeQuorum([], MEMBERS).fewestHealthy, 0);
  });

  it('tells how long it heard nothing', () => {
    assert.equal(judgeQuorum(history({a: '+    +', b: '++++++', c: '++++++'}), MEMBERS).longestSilenceMs, 50);
  });
});
