import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {PeError, decodePeSections} from '../../../formats/pe.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';
import {peFile, sectionHeaderAt} from '../../support/uki-file.ts';

const FILE = peFile([
  ['.text', 'code'],
  ['.osrel', 'ID=x\n'],
  ['.bss', ''],
  ['.linux', Buffer.alloc(1000, 1)],
]);

function rejects(
  code: string,
  pattern: RegExp,
  change: (file: Buffer) => void,
  fileBytes = FILE.length,
): void {
  const copy = Buffer.from(FILE);
  change(copy);
  assert.throws(
    () => decodePeSections(copy, fileBytes),
    (error) => error instanceof PeError && error.code === code && pattern.test(error.message),
  );
}

describe('decodePeSections', () => {
  it('gives the content of each section without its padding', () => {
    assert.deepEqual(decodePeSections(FILE, FILE.length), [
      {name: '.text', offset: 0x600, bytes: 4},
      {name: '.osrel', offset: 0x800, bytes: 5},
      {name: '.bss', offset: 0xa00, bytes: 0},
      {name: '.linux', offset: 0xa00, bytes: 1000},
    ]);
    assert.deepEqual(decodePeSections(FILE.subarray(0, 4096), FILE.length).length, 4);
  });

  it('refuses what is no EFI program for x86-64', () => {
    rejects('not-pe', /MZ/, (file) => file.write('ELF'));
    rejects('not-pe', /no PE signature at byte 128/, (file) => file.write('NE', 0x80));
    rejects('truncated', /reach to byte/, (file) => file.writeUInt32LE(0xffff_fff0, 0x3c));
    rejects('unsupported', /machine is 0x14c/, (file) => file.writeUInt16LE(0x14c, 0x84));
    rejects('unsupported', /0x10b/, (file) => file.writeUInt16LE(0x10b, 0x98));
    rejects('unsupported', /97 sections/, (file) => file.writeUInt16LE(97, 0x86));
    rejects('truncated', /which/, (file) => file.writeUInt16LE(90, 0x86));
    assert.throws(() => decodePeSections(new Uint8Array(10), 10), PeError);
  });

  it('refuses sections that are cut off, share bytes or have no name', () => {
    rejects('truncated', /\.linux ends at byte 3584, the file at 3583/, () => undefined, FILE.length - 1);
    rejects('bad-section', /share/, (file) => file.writeUInt32LE(0x600, sectionHeaderAt(1) + 20));
    rejects('bad-section', /name/, (file) => file.write('\0', sectionHeaderAt(1)));
    rejects('bad-section', /name/, (file) => file.write('a b', sectionHeaderAt(1)));
  });

  it('never fails in another way', () => {
    fc.assert(
      fc.property(damaged(FILE), (file) =>
        succeedsOrThrows(PeError, () => decodePeSections(file, file.length)),
      ),
      {numRuns: 500},
    );
  });
});
