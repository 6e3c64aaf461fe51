import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {FatError} from '../../../../formats/fat/boot-sector.ts';
import {decodeFatDirectory} from '../../../../formats/fat/directory.ts';
import {entry, longEntry} from '../../../support/fat-image.ts';

function names(...entries: Buffer[]): string[] {
  return decodeFatDirectory(Buffer.concat(entries), 'x').entries.map(({name}) => name);
}

describe('decodeFatDirectory', () => {
  it('shows short names in the case that their bits say', () => {
    assert.deepEqual(
      [0, 0x08, 0x10, 0x18].flatMap((cases) => names(entry({shortName: 'README  TXT', cases}))),
      ['README.TXT', 'readme.TXT', 'README.txt', 'readme.txt'],
    );
    assert.deepEqual(names(entry({shortName: 'NOENDING'})), ['NOENDING']);
    assert.deepEqual(names(entry({shortName: '\u0005BC'})), ['\ufffdBC']);
  });

  it('joins long names of any number of pieces', () => {
    for (const name of ['a', 'exactly13char', 'fourteen chars', 'ü'.repeat(40), 'x'.repeat(255)]) {
      const entries = longEntry(name, {shortName: 'SHORT~1'});
      assert.deepEqual(names(...entries), [name]);
    }
  });

  it('ends at the first unused entry and passes over deleted ones', () => {
    const deleted = entry({shortName: '\u00e5GONE'});
    const [first, second] = [entry({shortName: 'FIRST'}), entry({shortName: 'SECOND'})];
    assert.deepEqual(names(first, deleted, second, Buffer.alloc(32), first), ['FIRST', 'SECOND']);
  });

  it('falls back to the short name when the pieces are not those of the file, and says so', () => {
    const long = longEntry('a name of three pieces, no less', {shortName: 'ANAMEO~1'});
    const [one, two, three, short] = long as [Buffer, Buffer, Buffer, Buffer];
    const other = entry({shortName: 'OTHER'});
    const cases: [string[], Buffer[]][] = [
      [['OTHER'], [one, two, three, other]],
      [['ANAMEO~1'], [one, three, short]],
      [['ANAMEO~1'], [two, three, short]],
      [['ANAMEO~1'], [one, two, short]],
      [['a name of three pieces, no less'], [one, ...long]],
      [[], [one, two, three]],
    ];
    for (const [expected, entries] of cases) {
      const found = decodeFatDirectory(Buffer.concat(entries), 'x');
      assert.deepEqual(
        found.entries.map(({name}) => name),
        expected,
      );
      assert.notDeepEqual(found.problems, [], expected.join());
    }
  });

  it('refuses names that no path can have', () => {
    for (const shortName of ['A/B', 'A\nB', '        TXT'])
      assert.throws(() => names(entry({shortName})), FatError, shortName);
    assert.throws(() => names(...longEntry('../../x', {shortName: 'X'})), FatError);
    assert.throws(() => names(...longEntry('half \ud800', {shortName: 'X'})), FatError);
  });
});
