import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type DemoReport, faults, formatDemoReport} from '../../../../cli/cluster/demo-report.ts';

const REPORT: DemoReport = {
  beganMs: 1000,
  members: [
    {
      name: 'node1',
      installedMs: 2000,
      lockedMs: 90_000,
      restartedMs: 95_000,
      goodMs: 150_000,
      releasedMs: 151_000,
    },
    {name: 'node2', installedMs: 2500, lockedMs: 3000, restartedMs: 8000, goodMs: 80_000, releasedMs: 81_000},
    {name: 'node3', installedMs: null, lockedMs: null, restartedMs: null, goodMs: null, releasedMs: null},
  ],
  quorum: {
    samples: 400,
    fewestHealthy: 2,
    outages: [
      {member: 'node2', fromMs: 7000, untilMs: 60_000, reason: 'away'},
      {member: 'node1', fromMs: 94_000, untilMs: null, reason: 'away'},
    ],
    losses: [],
    longestSilenceMs: 15_200,
  },
  writes: {
    ...{attempts: 510, acknowledged: 500, refused: 4, unknown: 6, unknownFound: 5},
    ...{lost: [], altered: [], invented: [], longestPauseMs: 2100},
  },
  mostHolders: 1,
};

describe('formatDemoReport', () => {
  it('has the members in the order in which they restarted, and the findings', () => {
    assert.equal(
      formatDemoReport(REPORT),
      [
        'MEMBER  INSTALLED  LOCK  RESTARTED   GOOD  FREED  ETCD AWAY',
        'node2         2 s   2 s        7 s   79 s   80 s       53 s',
        'node1         1 s  89 s       94 s  149 s  150 s      still',
        'node3           -     -          -      -      -          -',
        '',
        'Healthy members, at the fewest: 2 of 3 (400 samples, at most 15 s apart)',
        'Holders of the lock, at the most: 1',
        'Writes: 500 acknowledged, 0 of them lost; 6 with unknown outcome (5 are there), 4 refused; longest pause 2.1 s',
        '',
      ].join('\n'),
    );
  });

  it('says what must not have been', () => {
    const {quorum, writes} = REPORT;
    assert.deepEqual(faults(REPORT), []);
    const bad = {
      quorum: {...quorum, losses: [{fromMs: 1000, untilMs: 4000, healthy: 1}]},
      writes: {...writes, lost: [3, 4], altered: ['a']},
    };
    assert.deepEqual(faults(bad), [
      'only 1 members were healthy for 3.0 s',
      'of what was acknowledged 2 writes are lost; 1 keys are altered, 0 nobody wrote',
    ]);
    assert.match(formatDemoReport({...REPORT, ...bad}), /^FAULT: only 1 members/m);
  });
});
