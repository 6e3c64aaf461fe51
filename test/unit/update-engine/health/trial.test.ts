import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {gaveUpReport, reportOf, standingOf} from '../../../../update-engine/health/trial.ts';
import {type BitsOfSlots, slotTable} from '../../../support/slot-disk.ts';
import type {HealthReport} from '../../../../update-engine/state/documents.ts';
import {healthSchema} from '../../../../update-engine/state/documents.ts';

const identity = {version: '2.0.0', buildId: '20261119-aa', slot: 'B', bootId: 'this-boot'} as const;
const failedCheck = {name: 'units', passed: false, detail: 'failed: ssh.service', seconds: 1};
const goodCheck = {name: 'disk', passed: true, detail: '', seconds: 0.1};

describe('standingOf', () => {
  const standing = (slots: BitsOfSlots): string =>
    standingOf(slotTable({sectorSize: 512, diskBytes: 8 << 20, slots}), 'B');
  const cases: [string, BitsOfSlots, string][] = [
    ['an update in its first start', {A: [1, 0, true], B: [2, 1, false]}, 'on-trial'],
    ['an update in its last start', {A: [1, 0, true], B: [2, 0, false]}, 'on-trial'],
    ['a good slot', {A: [1, 0, true], B: [2, 0, true]}, 'good'],
    ['a good slot that somebody took out of the running', {A: [1, 0, true], B: [0, 0, true]}, 'good'],
    ['a slot on trial beside an empty one', {A: [0, 0, false], B: [1, 1, false]}, 'last-resort'],
    ['a slot given up beside an empty one', {A: [0, 0, false], B: [0, 0, false]}, 'last-resort'],
    ['a slot on trial beside one that was given up', {A: [0, 0, true], B: [1, 1, false]}, 'last-resort'],
    ['two slots on trial', {A: [1, 1, false], B: [2, 1, false]}, 'on-trial'],
  ];
  for (const [name, slots, expected] of cases) it(name, () => assert.equal(standing(slots), expected));
});

describe('reports', () => {
  const last = (changes: Partial<HealthReport>): HealthReport => ({
    ...reportOf(identity, 'failed', [goodCheck, failedCheck], 1000),
    ...changes,
  });

  it('are documents', () => {
    assert.deepEqual(healthSchema.parse(last({})), last({}));
  });

  it('of a slot that is given up keep the checks of this boot', () => {
    const report = gaveUpReport(last({}), identity, 2000);
    assert.deepEqual(report, {...identity, at: 2000, outcome: 'gave-up', checks: [goodCheck, failedCheck]});
  });

  for (const [name, before] of [
    ['no report', null],
    ['the report of another boot', last({bootId: 'another'})],
  ] as const) {
    it(`say that the checks did not end, with ${name}`, () => {
      const {checks} = gaveUpReport(before, identity, 2000);
      assert.deepEqual(
        checks.map(({name: check, passed, detail}) => [check, passed, detail]),
        [['boot', false, 'the health checks did not come to an end']],
      );
    });
  }

  it('say that the boot did not complete when all checks had passed', () => {
    const {checks} = gaveUpReport(last({outcome: 'good', checks: [goodCheck]}), identity, 2000);
    assert.deepEqual(
      checks.map(({name, passed}) => [name, passed]),
      [
        ['disk', true],
        ['boot', false],
      ],
    );
  });
});
