/** What independent tools say of a disk that was installed: from outside, with no machine running. */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import {windowOf} from '../../../formats/byte-source.ts';
import {placePartitions} from '../../../formats/disk-layout.ts';
import {fileOfRole} from '../../../formats/release.ts';
import {exec} from '../../../platform/exec.ts';
import {sha256File, withByteSource} from '../../../platform/files.ts';
import {readRelease} from './releases.ts';

const CHUNK_BYTES = 1 << 20;

/** `disk` is a raw image, `release` the folder of what should be on it; scratch files go to `folder`. */
export async function checkInstalledDisk(
  disk: string,
  release: string,
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const {stdout: verdict} = await exec(['sgdisk', '--verify', disk]);
  assert.match(verdict, /No problems found/);
  // The backup lies at the real end.
  const {stdout: table} = await exec(['sgdisk', '--print', disk]);
  const sectors = (await stat(disk)).size / 512;
  assert.match(table, new RegExp(`last usable sector is ${sectors - 34}\\b`));
  const info = await readRelease(release);
  const [esp, usr, , oem] = placePartitions();
  assert.ok(esp !== undefined && usr !== undefined && oem !== undefined);
  const {stdout: entry} = await exec(['sgdisk', '--info=2', disk]);
  assert.match(entry.toLowerCase(), new RegExp(`unique guid: ${info.usr.partitionGuid}`));

  const cut = async (offset: number, bytes: number, name: string): Promise<string> => {
    const to = join(folder, name);
    await exec([
      'dd',
      `if=${disk}`,
      `of=${to}`,
      'bs=1M',
      `skip=${offset / CHUNK_BYTES}`,
      `count=${bytes / CHUNK_BYTES}`,
      'conv=sparse',
      'status=none',
    ]);
    return to;
  };
  const espFile = await cut(esp.offset, esp.bytes, 'esp.img');
  await exec(['fsck.vfat', '-n', espFile]);
  const uki = join(folder, 'usr-a.efi');
  await exec(['mcopy', '-n', '-i', espFile, '::/EFI/caisson/usr-a.efi', uki]);
  assert.equal(await sha256File(uki), info.files[fileOfRole(info, 'uki')]?.sha256);
  const oemFile = await cut(oem.offset, oem.bytes, 'oem.img');
  await exec(['e2fsck', '-fn', oemFile]);
  for (const [path, content] of Object.entries(files)) {
    const {stdout} = await exec(['debugfs', '-R', `cat ${path}`, oemFile]);
    assert.equal(stdout, content, path);
  }
  const wanted = info.files[fileOfRole(info, 'usr')];
  await withByteSource(disk, async (source) => {
    const window = windowOf(source, usr.offset, wanted?.bytes ?? 0);
    const hash = createHash('sha256');
    for (let at = 0; at < window.bytes; at += CHUNK_BYTES) hash.update(await window.readAt(at, CHUNK_BYTES));
    assert.equal(hash.digest('hex'), wanted?.sha256);
  });
}

/** A config that leaves its mark on the first boot. */
export const IGNITION_CONFIG = JSON.stringify({
  ignition: {version: '3.3.0'},
  storage: {files: [{path: '/etc/installed-by', mode: 420, contents: {source: 'data:,caisson-install'}}]},
});
