/** fsck.vfat (package dosfstools) and mtools judge and read the volumes that we make. */
import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, open, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {fatMoment} from '../../formats/fat/entry-writing.ts';
import {formatFat32} from '../../formats/fat/format.ts';
import {GIB, MIB} from '../../formats/units.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const skip =
  (await skipWithout(['fsck.vfat'], 'dosfstools')) || (await skipWithout(['mdir', 'mcopy'], 'mtools'));
const folder = await mkdtemp(join(tmpdir(), 'fat-format-'));
after(() => rm(folder, {recursive: true}));

const env = {TZ: 'UTC', LC_ALL: 'C.UTF-8'};
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

for (const [sectorBytes, volumeBytes] of [
  [512, GIB],
  [4096, GIB],
  [512, 301 * MIB + 512],
] as const) {
  describe(`a volume of ${volumeBytes} bytes in sectors of ${sectorBytes}`, {skip}, () => {
    it('is what the tools call a sound one, and holds what it should', async () => {
      const image = join(folder, `${sectorBytes}-${volumeBytes}`);
      const contents = new Map([
        ['EFI/BOOT/BOOTX64.EFI', randomBytes(106_686)],
        ['EFI/caisson/usr-a.efi', randomBytes(9 * MIB)],
        ['loader/addons/debug.addon.efi', randomBytes(1000)],
        ['loader/addons/debug-the-other-one.addon.efi', randomBytes(5000)],
      ]);
      const format = formatFat32({
        ...{sectorBytes, volumeBytes, label: 'EFI-SYSTEM', volumeId: 0xcafe_f00d, hiddenSectors: 2048},
        files: [...contents].map(([path, {length}]) => ({path, bytes: length})),
        modified: fatMoment(Date.UTC(2026, 10, 21, 17, 30, 2)),
      });
      const file = await open(image, 'w');
      try {
        await file.truncate(volumeBytes);
        for (const {offset, bytes} of [...format.metadata, format.bootSector])
          await file.write(bytes, 0, bytes.length, offset);
        for (const [path, bytes] of contents)
          await file.write(bytes, 0, bytes.length, format.files.get(path)?.offset ?? 0);
      } finally {
        await file.close();
      }
      const {stdout} = await exec(['fsck.vfat', '-n', '-v', image], {env});
      assert.match(stdout, new RegExp(`${sectorBytes} bytes per logical sector`));
      assert.match(stdout, /: 10 files, /);
      // Old versions of mtools read no sectors of 4096 bytes.
      if (sectorBytes === 4096) return;
      const listing = await exec(['mdir', '-/', '-b', '-i', image, '::'], {env});
      assert.match(listing.stdout, /^::\/EFI\/caisson\/usr-a\.efi$/m);
      for (const [path, bytes] of contents) {
        const copy = join(folder, 'copy');
        await exec(['mcopy', '-n', '-i', image, `::/${path}`, copy], {env});
        assert.equal(hashOf(await readFile(copy)), hashOf(bytes));
        await rm(copy);
      }
    });
  });
}
