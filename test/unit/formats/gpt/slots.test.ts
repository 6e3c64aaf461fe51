import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  clearSlot,
  findSlot,
  giveUp,
  makeGoodNext,
  makeNext,
  markSuccessful,
  readSlotBits,
  readSlots,
  setSlotBits,
  setSlotGuid,
  writeSlotBits,
  type SlotBits,
} from '../../../../formats/gpt/slots.ts';
import {setEntry} from '../../../../formats/gpt/table.ts';
import {GptError} from '../../../../formats/gpt/types.ts';
import {fc} from '../../../support/property.ts';
import {bitsOf, slotTable, type BitsOfSlots} from '../../../support/slot-disk.ts';

const OTHERS = (1n << 63n) | (1n << 60n) | (1n << 57n) | (1n << 47n) | 4n;

function disk(slots: BitsOfSlots) {
  return slotTable({sectorSize: 512, diskBytes: 8 * 1024 * 1024, slots, otherAttributes: OTHERS});
}

const bits: fc.Arbitrary<SlotBits> = fc.record(
  {priority: fc.nat({max: 15}), tries: fc.nat({max: 15}), successful: fc.boolean()},
  {noNullPrototype: true},
);

describe('slot bits', () => {
  it('lie where ChromeOS and CoreOS have them', () => {
    assert.equal(writeSlotBits(0n, {priority: 1, tries: 2, successful: true}), 0x0121_0000_0000_0000n);
  });

  it('survive writing and reading, and leave all other bits alone', () => {
    fc.assert(
      fc.property(fc.bigInt({min: 0n, max: (1n << 64n) - 1n}), bits, (attributes, value) => {
        const written = writeSlotBits(attributes, value);
        assert.deepEqual(readSlotBits(written), value);
        const mask = ~(0x1ffn << 48n);
        assert.equal(written & mask, attributes & mask);
      }),
    );
  });

  it('refuse values that do not fit', () => {
    for (const value of [-1, 16, 1.5]) {
      assert.throws(() => writeSlotBits(0n, {priority: value, tries: 0, successful: false}), GptError);
      assert.throws(() => writeSlotBits(0n, {priority: 0, tries: value, successful: false}), GptError);
    }
  });
});

describe('slots of a table', () => {
  it('are found by type and label, in table order', () => {
    const slots = readSlots(disk({A: [1, 0, true], B: [2, 3, false]}));
    assert.deepEqual(
      slots.map(({letter, index, label}) => [letter, index, label]),
      [
        ['A', 1, 'USR-A'],
        ['B', 2, 'USR-B'],
      ],
    );
  });

  it('are not partitions of another type or label, nor a second one of the same label', () => {
    const table = disk({A: [1, 0, true], B: [2, 3, false]});
    const b = table.entries[2];
    assert.ok(b);
    for (const change of [
      {typeGuid: table.entries[0]?.typeGuid ?? ''},
      {name: 'USR-C'},
      {name: 'USR-'},
      {name: 'USR-BB'},
      {name: 'USR-A'},
    ]) {
      const slots = readSlots(setEntry(table, 2, {...b, ...change}));
      assert.equal(slots.map(({letter}) => letter).join(), 'A', JSON.stringify(change));
    }
    assert.throws(() => findSlot(disk({A: [1, 0, true]}), 'B'), GptError);
  });

  it('change their GUID alone', () => {
    const table = disk({A: [1, 0, true]});
    const guid = '01234567-89ab-cdef-0123-456789abcdef';
    const changed = setSlotGuid(table, 'A', guid);
    assert.equal(findSlot(changed, 'A').partitionGuid, guid);
    assert.deepEqual(setSlotGuid(changed, 'A', findSlot(table, 'A').partitionGuid), table);
  });
});

describe('transitions', () => {
  it('makeNext puts a slot above the other and renumbers', () => {
    for (const [before, after] of [
      [[1, 0, true], 1],
      [[2, 0, true], 1],
      [[15, 3, false], 1],
      [[0, 0, true], 0],
    ] as const) {
      const [, tries, successful] = before;
      assert.deepEqual(bitsOf(makeNext(disk({A: before, B: [9, 0, true]}), 'B')), {
        A: [after, tries, successful],
        B: [after + 1, 2, false],
      });
    }
    assert.deepEqual(bitsOf(makeNext(disk({B: [0, 0, false]}), 'B', 1)), {B: [1, 1, false]});
    assert.throws(() => makeNext(disk({A: [1, 0, true]}), 'B'), GptError);
  });

  it('makeGoodNext puts a slot above the other and trusts it', () => {
    const table = disk({A: [1, 0, true], B: [2, 1, false]});
    assert.deepEqual(bitsOf(makeGoodNext(table, 'A')), {A: [2, 0, true], B: [1, 1, false]});
    assert.throws(() => makeNext(disk({A: [1, 0, true]}), 'A', 16), GptError);
  });

  it('markSuccessful needs no tries any more and leaves the order alone', () => {
    assert.deepEqual(bitsOf(markSuccessful(disk({A: [1, 0, true], B: [2, 2, false]}), 'B')), {
      A: [1, 0, true],
      B: [2, 0, true],
    });
    assert.deepEqual(bitsOf(markSuccessful(disk({A: [0, 3, false]}), 'A')), {A: [1, 0, true]});
  });

  it('clearSlot and giveUp take a slot out of the choice', () => {
    const table = disk({A: [1, 0, true], B: [2, 2, true]});
    assert.deepEqual(bitsOf(clearSlot(table, 'B')), {A: [1, 0, true], B: [0, 0, false]});
    assert.deepEqual(bitsOf(giveUp(table, 'B')), {A: [1, 0, true], B: [0, 2, true]});
  });

  it('keep within 15, and touch nothing but slot bits, in any sequence', () => {
    const action = fc.record({
      change: fc.constantFrom(makeNext, markSuccessful, clearSlot, giveUp),
      letter: fc.constantFrom('A' as const, 'B' as const),
    });
    fc.assert(
      fc.property(bits, bits, fc.array(action, {maxLength: 40}), (a, b, actions) => {
        const start = disk({A: [0, 0, false], B: [0, 0, false]});
        const set = setSlotBits(setSlotBits(start, 'A', a), 'B', b);
        const end = actions.reduce((table, {change, letter}) => change(table, letter), set);
        for (const letter of ['A', 'B'] as const) assert.ok(findSlot(end, letter).priority <= 15);
        assert.deepEqual(clearSlot(clearSlot(end, 'A'), 'B'), start);
      }),
    );
  });

  it('follow an update from fresh image to fallback', () => {
    const fresh = disk({A: [1, 0, true], B: [0, 0, false]});
    const installed = makeNext(clearSlot(fresh, 'B'), 'B');
    assert.deepEqual(bitsOf(installed), {A: [1, 0, true], B: [2, 2, false]});
    const good = markSuccessful(installed, 'B');
    assert.deepEqual(bitsOf(makeNext(clearSlot(good, 'A'), 'A')), {A: [2, 2, false], B: [1, 0, true]});
    assert.deepEqual(bitsOf(giveUp(installed, 'B')), {A: [1, 0, true], B: [0, 2, false]});
  });
});
