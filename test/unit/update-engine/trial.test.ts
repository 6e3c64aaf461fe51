import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {Slot, SlotBits} from '../../../formats/gpt/slots.ts';
import type {HealthReport} from '../../../update-engine/state/documents.ts';
import {type BootFacts, judgeBoot} from '../../../update-engine/trial.ts';
import {PENDING, ROOT_GUID} from '../../support/engine-samples.ts';

const OLD_GUID = 'aaaaaaaa-0000-0000-0000-000000000000';
const RANDOM_GUID = 'bbbbbbbb-0000-0000-0000-000000000000';

function slot(
  letter: 'A' | 'B',
  [priority, tries, successful]: [number, number, boolean],
  partitionGuid: string,
): Slot {
  const bits: SlotBits = {priority, tries, successful};
  return {letter, index: letter === 'A' ? 1 : 2, label: `USR-${letter}`, partitionGuid, ...bits};
}

const HEALTH: HealthReport = {
  version: '2.0.0',
  buildId: 'b2',
  slot: 'B',
  bootId: 'x',
  at: PENDING.installedAt + 1000,
  outcome: 'gave-up',
  checks: [
    {name: 'root', passed: true, detail: '', seconds: 0},
    {name: 'containers', passed: false, detail: 'docker does not answer', seconds: 3},
  ],
};

function facts(changes: Partial<BootFacts>): BootFacts {
  return {
    pending: PENDING,
    health: null,
    running: 'A',
    otherVersion: '2.0.0',
    slots: [slot('A', [1, 0, true], OLD_GUID), slot('B', [2, 2, false], ROOT_GUID)],
    ...changes,
  };
}

const withB = (bits: [number, number, boolean], guid = ROOT_GUID): Slot[] => [
  slot('A', [1, 0, true], OLD_GUID),
  slot('B', bits, guid),
];

describe('judgeBoot', () => {
  /** Every order in which power may fail around one update, and what the next start makes of it. */
  const cases: [string, Partial<BootFacts>, string, RegExp?][] = [
    ['an ordinary boot', {pending: null, slots: withB([0, 0, false], RANDOM_GUID)}, 'ordinary'],
    [
      'cut after the document, before the commit',
      {slots: withB([0, 0, false], RANDOM_GUID)},
      'abandoned',
      /never made/,
    ],
    [
      'the document of a slot that was cleared again',
      {slots: withB([0, 0, false], RANDOM_GUID)},
      'abandoned',
    ],
    ['the engine restarted after the commit', {}, 'awaiting-reboot'],
    ['the first start of the new slot', {running: 'B', slots: withB([2, 1, false])}, 'on-trial'],
    ['the last start of the new slot', {running: 'B', slots: withB([2, 0, false])}, 'on-trial'],
    ['the new slot is good', {running: 'B', slots: withB([2, 0, true])}, 'confirmed'],
    ['back, all starts used', {slots: withB([2, 0, false])}, 'rolled-back', /did not come up/],
    [
      'back, given up with a report',
      {health: HEALTH, slots: withB([0, 1, false])},
      'rolled-back',
      /containers: docker/,
    ],
    ['back, given up without one', {slots: withB([0, 2, false])}, 'rolled-back', /kernel image/],
    [
      'back, all starts used, with a report',
      {health: HEALTH, slots: withB([2, 0, false])},
      'rolled-back',
      /docker/,
    ],
    [
      'a report about another build',
      {health: {...HEALTH, buildId: 'b3'}, slots: withB([2, 0, false])},
      'rolled-back',
      /did not come up/,
    ],
    [
      'a report from before the installation',
      {health: {...HEALTH, at: PENDING.installedAt - 1}, slots: withB([2, 0, false])},
      'rolled-back',
      /did not come up/,
    ],
    [
      'good, but the document was not removed, and an operator went back',
      {slots: withB([1, 0, true])},
      'abandoned',
      /found good/,
    ],
    [
      'an operator put it behind the running one',
      {slots: [slot('A', [2, 0, true], OLD_GUID), slot('B', [1, 2, false], ROOT_GUID)]},
      'abandoned',
      /behind/,
    ],
    ['a disk without the slot', {slots: [slot('A', [1, 0, true], OLD_GUID)]}, 'abandoned', /no slot B/],
    [
      'a fresh image that was never found good',
      {pending: null, slots: [slot('A', [1, 1, false], OLD_GUID)]},
      'on-trial',
    ],
    ['an operator rolled back', {pending: null, slots: withB([2, 0, true])}, 'awaiting-reboot'],
    ['a host without slots', {pending: null, running: null, slots: []}, 'ordinary'],
    ['a host that lost its slots', {running: null}, 'ordinary'],
  ];
  for (const [name, changes, kind, reason] of cases) {
    it(`${name}: ${kind}`, () => {
      const situation = judgeBoot(facts(changes));
      assert.equal(situation.kind, kind);
      if (reason !== undefined) assert.match('reason' in situation ? situation.reason : '', reason);
    });
  }

  it('tells an update from a rollback that waits', () => {
    const update = judgeBoot(facts({}));
    const back = judgeBoot(facts({pending: null, slots: withB([2, 0, true])}));
    assert.deepEqual(update, {
      kind: 'awaiting-reboot',
      target: {version: '2.0.0', slot: 'B', kind: 'update', isUrgent: false, followsChannel: true},
    });
    assert.deepEqual(back, {
      kind: 'awaiting-reboot',
      target: {version: '2.0.0', slot: 'B', kind: 'rollback', isUrgent: false, followsChannel: false},
    });
  });
});
