import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  describeChanges,
  isRolledOut,
  lookedAt,
  restartedAt,
  startTimeline,
} from '../../../../cli/cluster/timeline.ts';
import {clusterOf, FREE, heldBy, memberOf} from './samples.ts';

const INSTALLED = {
  state: 'UPDATED_NEED_REBOOT',
  lastUpdate: {outcome: 'installed', version: '1.1.0', detail: ''},
} as const;
const UPDATED = {version: '1.1.0', slot: 'B', isGood: true} as const;

describe('a timeline', () => {
  it('notes each step once, when it is first seen', () => {
    let timeline = startTimeline(['node1', 'node2']);
    const look = (nowMs: number, ...args: Parameters<typeof clusterOf>): void => {
      timeline = lookedAt(timeline, clusterOf(...args), '1.1.0', nowMs);
    };
    look(1, [memberOf('node1'), memberOf('node2')]);
    assert.deepEqual(timeline, startTimeline(['node1', 'node2']));
    look(2, [memberOf('node1', INSTALLED), memberOf('node2')]);
    look(3, [memberOf('node1', INSTALLED), memberOf('node2', INSTALLED)], heldBy('node1'));
    timeline = restartedAt(timeline, 'node1', 4);
    timeline = restartedAt(timeline, 'node1', 5);
    look(6, [memberOf('node1', {...UPDATED, isGood: false}), memberOf('node2', INSTALLED)], heldBy('node1'));
    look(7, [memberOf('node1', UPDATED), memberOf('node2', INSTALLED)], {
      kind: 'unknown',
      reason: 'no leader',
    });
    look(8, [memberOf('node1', UPDATED), memberOf('node2', INSTALLED)], heldBy('node2'));
    look(9, [memberOf('node1', UPDATED), memberOf('node2', INSTALLED)]);
    assert.deepEqual(timeline, [
      {name: 'node1', installedMs: 2, lockedMs: 3, restartedMs: 4, goodMs: 7, releasedMs: 8},
      {name: 'node2', installedMs: 3, lockedMs: 8, restartedMs: null, goodMs: null, releasedMs: 9},
    ]);
  });
});

describe('isRolledOut', () => {
  const all = [memberOf('node1', UPDATED), memberOf('node2', UPDATED)];
  const table = [
    ['all run it, and the lock is free', clusterOf(all), true],
    ['the lock is held', clusterOf(all, heldBy('node2')), false],
    ['the lock is not known', clusterOf(all, {kind: 'unknown', reason: ''}), false],
    ['one runs the old release', clusterOf([memberOf('node1', UPDATED), memberOf('node2')]), false],
    ['one is on trial', clusterOf([memberOf('node1', {...UPDATED, isGood: false})]), false],
    ['one does not answer', clusterOf([{...memberOf('node1', UPDATED), silent: 'late'}]), false],
  ] as const;
  for (const [what, status, expected] of table)
    it(`is ${expected} when ${what}`, () => assert.equal(isRolledOut(status, '1.1.0'), expected));
});

describe('describeChanges', () => {
  it('says what is there at the first look, and nothing when nothing changed', () => {
    const status = clusterOf([memberOf('node1')], FREE);
    assert.deepEqual(describeChanges(null, status), ['node1 runs 1.0.0 in slot A, good']);
    assert.deepEqual(describeChanges(status, status), []);
  });

  it('says what a member does and why it waits', () => {
    const before = clusterOf([memberOf('node1'), memberOf('node2')], heldBy('node2'));
    const waiting = memberOf('node1', {...INSTALLED, offer: '1.1.0', waiting: ['the lock is held']});
    const after = clusterOf([{...waiting, link: 'cut'}, memberOf('node2', UPDATED)], heldBy('node1'));
    assert.deepEqual(describeChanges(before, after), [
      'node1 is cut',
      'node1: UPDATED_NEED_REBOOT 1.1.0',
      'node1 waits: the lock is held',
      'node2 runs 1.1.0 in slot B, good',
      'node2 has freed the lock',
      'node1 holds the lock',
    ]);
  });

  it('does not take silence for a change', () => {
    const before = clusterOf([memberOf('node1')], heldBy('node1'));
    const after = clusterOf([{...memberOf('node1'), silent: 'late'}], {kind: 'unknown', reason: 'late'});
    assert.deepEqual(describeChanges(before, after), []);
  });
});
