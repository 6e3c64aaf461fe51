import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {sourceOf} from '../../../../formats/byte-source.ts';
import {FatError} from '../../../../formats/fat/boot-sector.ts';
import {fatMoment} from '../../../../formats/fat/entry-writing.ts';
import {type FatFormatOptions, formatFat32} from '../../../../formats/fat/format.ts';
import {surveyFat} from '../../../../formats/fat/survey.ts';
import {openFat} from '../../../../formats/fat/volume.ts';
import {MIB} from '../../../../formats/units.ts';

const FILES = [
  {path: 'EFI/BOOT/BOOTX64.EFI', bytes: 5000},
  {path: 'EFI/caisson/usr-a.efi', bytes: 3 * 4096},
];

function options(changes: Partial<FatFormatOptions> = {}): FatFormatOptions {
  return {
    volumeBytes: 300 * MIB,
    sectorBytes: 512,
    label: 'EFI-SYSTEM',
    volumeId: 0x1234_abcd,
    hiddenSectors: 2048,
    files: FILES,
    modified: fatMoment(Date.UTC(2026, 10, 21)),
    ...changes,
  };
}

/** As on a disk that held something else. */
function write(wanted: FatFormatOptions): Uint8Array {
  const {bootSector, metadata, files} = formatFat32(wanted);
  const volume = Buffer.alloc(wanted.volumeBytes, 0xa5);
  for (const {offset, bytes} of [...metadata, bootSector]) volume.set(bytes, offset);
  for (const [path, {offset, bytes, room}] of files) {
    volume.fill(0, offset, offset + room);
    volume.fill(path.length, offset, offset + bytes);
  }
  return volume;
}

for (const sectorBytes of [512, 4096] as const) {
  describe(`a new FAT32 volume with sectors of ${sectorBytes} bytes`, () => {
    const wanted = options({sectorBytes});
    const source = sourceOf(write(wanted));

    it('has its files whole, and nothing wrong with it, whatever was there before', async () => {
      const volume = await openFat(source);
      assert.equal(volume.label, 'EFI-SYSTEM');
      assert.deepEqual(await volume.check(), []);
      const all = await volume.walk();
      assert.deepEqual(
        all.map(({path}) => path),
        ['EFI', 'EFI/BOOT', 'EFI/BOOT/BOOTX64.EFI', 'EFI/caisson', 'EFI/caisson/usr-a.efi'],
      );
      for (const {path, bytes} of FILES) {
        const file = await volume.find(path);
        assert.equal(file.bytes, bytes);
        assert.deepEqual(
          Buffer.from(await volume.open(file).readAt(0, bytes)),
          Buffer.alloc(bytes, path.length),
        );
      }
    });

    it('can be written to by what writes updates', async () => {
      const survey = await surveyFat(source, 'EFI/caisson/usr-b.efi');
      assert.equal(survey.folders.length, 4);
      assert.notEqual(survey.info, undefined);
      assert.equal(survey.geometry.volumeBytes, wanted.volumeBytes);
    });

    it('places files at multiples of a cluster', () => {
      for (const {offset, room} of formatFat32(wanted).files.values()) {
        assert.equal(offset % 4096, 0);
        assert.equal(room % 4096, 0);
      }
    });
  });
}

describe('a new FAT32 volume', () => {
  it('is refused where it could not be one', () => {
    const code = (changes: Partial<FatFormatOptions>): string => {
      try {
        formatFat32(options(changes));
      } catch (error) {
        if (error instanceof FatError) return error.code;
        throw error;
      }
      return 'none';
    };
    assert.equal(code({volumeBytes: 100 * MIB}), 'bad-geometry');
    assert.equal(code({files: [{path: 'a', bytes: 300 * MIB}]}), 'no-room');
    assert.equal(code({files: [{path: 'a name with blanks.efi', bytes: 1}]}), 'bad-name');
    assert.equal(code({label: 'lower'}), 'bad-name');
  });

  it('keeps an empty file without clusters', async () => {
    const volume = await openFat(sourceOf(write(options({files: [{path: 'empty', bytes: 0}]}))));
    assert.deepEqual(await volume.check(), []);
    assert.equal((await volume.find('empty')).firstCluster, 0);
  });
});
