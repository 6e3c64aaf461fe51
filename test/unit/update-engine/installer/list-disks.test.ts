import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {after, describe, it} from 'node:test';
import {InstallerError} from '../../../../update-engine/installer/errors.ts';
import {describeDisks, requireUnused} from '../../../../update-engine/installer/choose.ts';
import {type ListedDisk, listDisks} from '../../../../update-engine/installer/list-disks.ts';

const folder = await mkdtemp(join(tmpdir(), 'list-disks-'));
after(() => rm(folder, {recursive: true}));

const MOUNTS = `22 1 253:2 / /usr ro - erofs /dev/mapper/usr ro
23 1 8:17 / /var/lib/data rw - ext4 /dev/sdb1 rw
24 1 0:45 / /srv rw - btrfs /dev/sdd rw
`;

async function world(): Promise<readonly ListedDisk[]> {
  const files: Record<string, string> = {};
  const disk = (name: string, number: string, extra: Record<string, string> = {}): void => {
    Object.assign(files, {
      [`${name}/size`]: '20971520\n',
      [`${name}/dev`]: `${number}\n`,
      [`${name}/uevent`]: `DEVNAME=${name}\n`,
      [`${name}/removable`]: '0\n',
      [`${name}/ro`]: '0\n',
      [`${name}/queue/logical_block_size`]: '512\n',
      ...Object.fromEntries(Object.entries(extra).map(([path, text]) => [`${name}/${path}`, text])),
    });
  };
  disk('sda', '8:0', {
    'device/vendor': 'ATA     \n',
    'device/model': 'QEMU HARDDISK   \n',
    'sda2/partition': '2\n',
    'sda2/dev': '8:2\n',
    'sda2/uevent': 'DEVNAME=sda2\nPARTUUID=x\n',
  });
  disk('sdb', '8:16', {'sdb1/partition': '1\n', 'sdb1/dev': '8:17\n', 'sdb1/uevent': 'DEVNAME=sdb1\n'});
  disk('sdc', '8:32', {'queue/logical_block_size': '4096\n', removable: '1\n'});
  disk('sdd', '8:48');
  disk('sde', '8:64', {size: '0\n'});
  disk('dm-0', '253:2', {'dm/name': 'usr\n', 'dm/uuid': 'CRYPT-VERITY-abc-usr\n'});
  disk('loop0', '7:0');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'devices', path)), {recursive: true});
    await writeFile(join(folder, 'devices', path), text);
  }
  await mkdir(join(folder, 'block'), {recursive: true});
  for (const name of ['sda', 'sdb', 'sdc', 'sdd', 'sde', 'dm-0', 'loop0'])
    await symlink(`../devices/${name}`, join(folder, 'block', name));
  await mkdir(join(folder, 'devices/sda/sda2/holders'));
  await symlink('../../../dm-0', join(folder, 'devices/sda/sda2/holders/dm-0'));
  await mkdir(join(folder, 'proc/self'), {recursive: true});
  await writeFile(join(folder, 'proc/self/mountinfo'), MOUNTS);
  await writeFile(
    join(folder, 'proc/swaps'),
    'Filename Type Size Used Priority\n/dev/sdc partition 1 0 -2\n',
  );
  return listDisks({sys: folder, proc: join(folder, 'proc'), dev: '/dev'});
}

describe('the disks of a machine', async () => {
  const disks = await world();
  const [sda, sdb, sdc, sdd] = disks;

  it('are whole disks with something on them, and nothing else', () => {
    assert.deepEqual(
      disks.map(({path}) => path),
      ['/dev/sda', '/dev/sdb', '/dev/sdc', '/dev/sdd'],
    );
    assert.equal(sda?.model, 'QEMU HARDDISK');
    assert.equal(sda.bytes, 20_971_520 * 512);
    assert.equal(sdc?.sectorSize, 4096);
  });

  it('are known to be used through mappings, mounts, swap and file systems on several disks', () => {
    const texts = (disk: ListedDisk | undefined): string[] => disk?.uses.map(({text}) => text) ?? [];
    assert.deepEqual(texts(sda), ['sda2 is part of mapping usr', 'dm-0 is mounted on /usr']);
    assert.deepEqual(texts(sdb), ['sdb1 is mounted on /var/lib/data']);
    assert.deepEqual(texts(sdc), ['sdc is swap']);
    assert.deepEqual(texts(sdd), ['sdd is mounted on /srv']);
    assert.deepEqual(
      disks.map(({uses}) => uses.some(({isSystem}) => isSystem)),
      [true, false, false, false],
    );
  });

  it('are refused while they are used, and not with force', () => {
    const refusal = (disk: ListedDisk | undefined, force: boolean): string => {
      try {
        if (disk !== undefined) requireUnused(disk, force);
      } catch (error) {
        if (error instanceof InstallerError) return error.message;
        throw error;
      }
      return '';
    };
    assert.match(refusal(sda, false), /what this system runs from: sda2 is part of mapping usr/);
    assert.match(refusal(sdb, false), /in use: sdb1 is mounted/);
    assert.equal(refusal(sda, true), '');
  });

  it('are a table with size, model and use', () => {
    const text = describeDisks(disks, 6e9);
    assert.match(text, /^DISK +SIZE +MODEL +USE\n\/dev\/sda +10\.7 GB +QEMU HARDDISK +this system; sda2/);
    assert.match(text, /\/dev\/sdc .*swap; removable; sectors of 4096/);
    assert.match(describeDisks(disks, 2e10), /too small/);
    assert.equal(describeDisks([], 0), 'This machine has no disk.\n');
  });
});
