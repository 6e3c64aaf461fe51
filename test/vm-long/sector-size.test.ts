/** The same release on a disk with 4096-byte sectors: from the firmware to a login, with ROOT made and grown there. */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {fileOfRole, parseRelease} from '../../formats/release.ts';
import {exec} from '../../platform/exec.ts';
import {releaseFolder} from '../support/release.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {BOOT_DEADLINE_MS, withMachine, withTestFolder} from '../vm/support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const BUILD_DEADLINE_MS = 20 * 60_000;
const GIB = 1024 ** 3;

/** Steps of the shared build are in the cache; only putting the disk together is done anew. */
async function buildFor4096(out: string): Promise<string> {
  const shared = releaseFolder();
  const {version, channel} = parseRelease(await readFile(join(shared, 'release.json'), 'utf8'), shared);
  const {stdout} = await exec(
    [
      join(ROOT_DIR, 'caisson'),
      ...['build', '--json', '--sector-size', '4096', '--out', out],
      ...['--lock', join(shared, 'packages.lock.json'), '--release-version', version, '--channel', channel],
    ],
    {timeoutMs: BUILD_DEADLINE_MS},
  );
  const made = JSON.parse(stdout) as {directory: string};
  const release = parseRelease(await readFile(join(made.directory, 'release.json'), 'utf8'), made.directory);
  assert.equal(release.sectorSize, 4096);
  return join(made.directory, fileOfRole(release, 'disk'));
}

describe('a disk with 4096-byte sectors', () => {
  it('boots, gets its ROOT, and grows it over the whole disk', async (t) => {
    await withTestFolder(t, async (folder) => {
      const path = await buildFor4096(folder);
      const options = {image: {path, format: 'raw'}, sectorBytes: 4096, diskBytes: 12 * GIB} as const;
      await withMachine(t, options, async (guest) => {
        await guest.bootFinished(BOOT);
        assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
        const sizes = await guest.run([
          'cat',
          '/sys/block/vda/queue/logical_block_size',
          '/sys/block/vda/queue/physical_block_size',
        ]);
        assert.equal(sizes, '4096\n4096\n');
        const table = await guest.runAsRoot(['sfdisk', '--json', '/dev/vda']);
        const {partitiontable} = JSON.parse(table) as {
          partitiontable: {sectorsize: number; partitions: {name: string; type: string}[]};
        };
        assert.equal(partitiontable.sectorsize, 4096);
        assert.equal(partitiontable.partitions.length, 5);
        assert.equal(
          (await guest.run(['findmnt', '-no', 'SOURCE', '/'])).trim(),
          '/dev/vda5',
          'ROOT is on the disk',
        );
        const bytes = Number(await guest.run(['sh', '-c', 'df --output=size -B1 / | tail -1']));
        assert.ok(bytes > 6 * GIB, `ROOT has ${bytes} bytes`);
        // The ESP is FAT with sectors of the disk; firmware and kernel both have to read it.
        assert.match(await guest.runAsRoot(['blkid', '-o', 'export', '/dev/vda1']), /TYPE=vfat/);
        assert.match(await guest.runAsRoot(['dmsetup', 'status', 'usr']), / verity V$/m);
        await guest.reboot(BOOT);
        assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
      });
    });
  });
});
