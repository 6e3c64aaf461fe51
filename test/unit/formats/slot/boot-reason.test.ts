import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {SlotLetter} from '../../../../formats/gpt/slots.ts';
import {explainBoot} from '../../../../formats/slot/boot-reason.ts';
import {type BitsOfSlots, slotTable} from '../../../support/slot-disk.ts';

function explain(slots: BitsOfSlots, unloadable: SlotLetter[] = []): [string | null, string] {
  const table = slotTable({sectorSize: 512, diskBytes: 8 * 1024 * 1024, slots});
  const {letter, reason} = explainBoot(table, unloadable);
  return [letter, reason];
}

describe('explainBoot', () => {
  const cases: [string, BitsOfSlots, SlotLetter[], string | null, string][] = [
    [
      'a fresh disk',
      {A: [1, 0, true], B: [0, 0, false]},
      [],
      'A',
      'priority 1 and known to be good; B: priority 0',
    ],
    [
      'an update that waits',
      {A: [1, 0, true], B: [2, 3, false]},
      [],
      'B',
      'priority 2 and on trial, with 2 of 3 tries left after this one; A: lower priority 1',
    ],
    [
      'an update that failed three times',
      {A: [1, 0, true], B: [2, 0, false]},
      [],
      'A',
      'priority 1 and known to be good; B: no tries left and never good',
    ],
    [
      'an update whose UKI is gone',
      {A: [1, 0, true], B: [2, 3, false]},
      ['B'],
      'A',
      'priority 1 and known to be good; B: its UKI cannot be started',
    ],
    [
      'equals',
      {A: [1, 0, true], B: [1, 0, true]},
      [],
      'A',
      'priority 1 and known to be good; B: same priority 1, later in the table',
    ],
    [
      'equals, of which one is on trial',
      {A: [1, 2, false], B: [1, 0, true]},
      [],
      'B',
      'priority 1 and known to be good; A: same priority 1, still on trial',
    ],
    [
      'nothing that qualifies',
      {A: [0, 0, true], B: [0, 0, false]},
      [],
      'A',
      'no slot qualifies, and this one was good once; B: priority 0',
    ],
    [
      'nothing that can be started',
      {A: [1, 0, true], B: [0, 0, false]},
      ['A', 'B'],
      null,
      'no slot can be started (A: its UKI cannot be started; B: priority 0)',
    ],
    ['a disk of someone else', {}, [], null, 'the disk has no slot'],
  ];
  for (const [name, slots, unloadable, letter, reason] of cases)
    it(name, () => assert.deepEqual(explain(slots, unloadable), [letter, reason]));
});
