import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import fc from 'fast-check';
import {ATTRIBUTE, decodeFatDirectory} from '../../../../formats/fat/directory.ts';
import {fatMoment, namedEntry} from '../../../../formats/fat/entry-writing.ts';
import {longNamePieces, shortNameFor} from '../../../../formats/fat/long-name.ts';

const FIELDS = {firstCluster: 3, bytes: 7, modified: fatMoment(0)};

describe('long names', () => {
  it('are read back as they were made, whatever their length', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.~-]{0,200}[A-Za-z0-9_]$/);
    fc.assert(
      fc.property(name, (long) => {
        const short = shortNameFor(long, new Set());
        assert.equal(short.length, 11);
        const content = Buffer.concat([
          ...longNamePieces(long, short),
          namedEntry(short, ATTRIBUTE.archive, FIELDS),
        ]);
        const {entries, problems} = decodeFatDirectory(content, 'EFI');
        assert.deepEqual(
          [entries.map(({name, bytes, piecesAt}) => [name, bytes, piecesAt]), problems],
          [[[long, 7, 0]], []],
        );
      }),
    );
  });

  it('have short ones of their own', () => {
    const taken = new Set<string>();
    const names = ['memory.addon.efi', 'memory.other.efi', 'memory-2.addon.efi'].map((name) => {
      const short = shortNameFor(name, taken);
      taken.add(short);
      return short;
    });
    assert.deepEqual(names, ['MEMORY~1EFI', 'MEMORY~2EFI', 'MEMORY~3EFI']);
    assert.throws(() => shortNameFor('two words.efi', taken), /no name that is made here/);
    for (let count = 0; count < 6; count += 1) taken.add(shortNameFor('memory.addon.efi', taken));
    assert.throws(() => shortNameFor('memory.addon.efi', taken), /no short name left/);
  });
});
