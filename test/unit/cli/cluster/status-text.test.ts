import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {formatClusterStatus} from '../../../../cli/cluster/status-text.ts';
import {clusterOf, heldBy, memberOf, NOW} from './samples.ts';

describe('formatClusterStatus', () => {
  it('has a row for each member, the lock, and why one waits', () => {
    const members = [
      {...memberOf('node1', {version: '1.1.0', slot: 'B', isGood: false})},
      memberOf('node2', {
        state: 'UPDATED_NEED_REBOOT',
        offer: '1.1.0',
        waiting: ['the lock is held by node1'],
      }),
      {
        ...memberOf('node3', {at: NOW - 45_000}),
        link: 'cut' as const,
        ssh: 'silent' as const,
        silent: 'no ssh',
        etcd: {kind: 'failed' as const, reason: 'away'},
      },
    ];
    assert.equal(
      formatClusterStatus(clusterOf(members, heldBy('node1', ['node2']))),
      [
        'MEMBER  POWER  LINK    SSH      RUNS   SLOT        ENGINE                     ETCD       LOCK',
        'node1   on     joined  answers  1.1.0  B on trial  IDLE                       healthy    holds for 12 s',
        'node2   on     joined  answers  1.0.0  A good      UPDATED_NEED_REBOOT 1.1.0  healthy    waits, 1 of 1',
        'node3   on     cut     silent   1.0.0  A good      IDLE                       no answer  -',
        '',
        'Lock: held by node1 for 12 s (update, 1.1.0); waiting: node2; at most 1 at a time',
        'node2 waits: the lock is held by node1',
        'node3 does not answer, shown as of 45 s ago: no ssh',
        'etcd of node3: away',
        '',
      ].join('\n'),
    );
  });

  it('shows a host that never said anything, and a lock that nobody can read', () => {
    const silent = {...memberOf('node1'), host: null, ssh: 'silent' as const, silent: 'not yet', isOn: false};
    const text = formatClusterStatus(clusterOf([silent], {kind: 'unknown', reason: 'no etcd'}));
    assert.match(text, /^node1 +off +joined +silent +- +- +- +healthy +\?$/m);
    assert.match(text, /^Lock: not known: no etcd$/m);
  });

  it('tells the leader, and what etcd complains of', () => {
    const leader = {
      ...memberOf('node1'),
      etcd: {kind: 'answers', isLeader: true, hasLeader: true, problems: ['NOSPACE']} as const,
    };
    const text = formatClusterStatus(clusterOf([{...leader, etcd: {...leader.etcd, problems: ['NOSPACE']}}]));
    assert.match(text, /healthy, leads, NOSPACE/);
  });

  it('keeps what others wrote on one line, without signs that a terminal obeys to', () => {
    const text = formatClusterStatus(
      clusterOf([memberOf('node1', {waiting: [`a\u001B[2J\nb ${'x'.repeat(500)}`]})]),
    );
    const line = text.split('\n').find((each) => each.startsWith('node1 waits')) ?? '';
    assert.match(line, /^node1 waits: a \[2J b x+\.\.\.$/);
    assert.ok(line.length < 200);
  });
});
