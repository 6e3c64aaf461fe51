import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {GIB, MIB} from '../../../../formats/units.ts';
import {InstallerError} from '../../../../update-engine/installer/errors.ts';
import {edgesOf, minimumDiskBytes, planInstall} from '../../../../update-engine/installer/plan.ts';

const GUID = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const USR_GUID = '01234567-89ab-cdef-0123-456789abcdef';
const identifiers = {disk: GUID, partition: () => GUID.replace('a', 'b'), espVolume: 1};
const sizes = {usr: 800 * MIB, uki: 29 * MIB, selector: 100_000};
const plan = (bytes: number, sectorSize: 512 | 4096 = 512, changes = {}) =>
  planInstall({path: '/dev/sda', bytes, sectorSize}, {...sizes, ...changes}, identifiers, 0);

for (const sectorSize of [512, 4096] as const)
  describe(`the plan for a disk with sectors of ${sectorSize}`, () => {
    const bytes = 100 * GIB + sectorSize;
    const {tableOf, uki, selector, esp, blank} = plan(bytes, sectorSize);

    it('has the backup table at the real end, and the layout of every host', () => {
      const table = tableOf(USR_GUID);
      assert.equal(table.diskSectors, BigInt(bytes / sectorSize));
      assert.deepEqual(
        table.entries.flatMap((entry) =>
          entry === null ? [] : [[entry.name, (Number(entry.firstLba) * sectorSize) / MIB]],
        ),
        [
          ['EFI-SYSTEM', 1],
          ['USR-A', 1025],
          ['USR-B', 3073],
          ['OEM', 5121],
        ],
      );
      assert.equal(table.entries[1]?.uniqueGuid, USR_GUID);
      assert.equal(table.diskGuid, GUID);
    });

    it('streams UKI and selector into the EFI system partition, in whole blocks', () => {
      for (const {offset, bytes: length} of [uki, selector]) {
        assert.ok(offset >= esp.offset && offset + length <= esp.offset + esp.bytes);
        assert.equal(offset % 4096, 0);
        assert.equal(length % 4096, 0);
      }
      assert.equal(uki.bytes, sizes.uki);
    });

    it('blanks nothing that it writes, but OEM', () => {
      for (const place of blank)
        assert.ok(
          place.offset >= 3073 * MIB && place.offset + place.bytes <= bytes - MIB,
          String(place.offset),
        );
    });
  });

describe('a plan', () => {
  const code = (action: () => unknown): string => {
    try {
      action();
    } catch (error) {
      if (error instanceof InstallerError) return error.code;
      throw error;
    }
    return 'none';
  };

  it('is refused for a disk that is too small, to the byte', () => {
    assert.equal(
      code(() => plan(minimumDiskBytes())),
      'none',
    );
    assert.equal(
      code(() => plan(minimumDiskBytes() - 512)),
      'refused',
    );
  });

  it('is refused when /usr does not fit its partition', () => {
    assert.equal(
      code(() => plan(20 * GIB, 512, {usr: 2 * GIB + 4096})),
      'refused',
    );
  });

  it('leaves out the part of a sector at the end of a file', () => {
    assert.equal(plan(20 * GIB + 100).tableOf(USR_GUID).diskSectors, BigInt((20 * GIB) / 512));
  });

  it('wipes the end before the beginning', () => {
    assert.deepEqual(edgesOf(20 * GIB), [
      {offset: 20 * GIB - MIB, bytes: MIB},
      {offset: 0, bytes: MIB},
    ]);
  });
});
