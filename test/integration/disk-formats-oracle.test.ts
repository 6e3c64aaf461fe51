/**
 * qemu-img (package qemu-utils) reads what it converted and we settled as the same disk, and calls it sound; xorriso,
 * sgdisk and mtools read the ISO. Each is the same bytes when it is made again, at another time.
 */
import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {mkdir, mkdtemp, open, readFile, rm, stat, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {MIB} from '../../formats/units.ts';
import {convertCommand, settleImage} from '../../image/disk-formats.ts';
import {ISO_LABEL, isoCommand, writeIsoEsp} from '../../image/iso.ts';
import {exec} from '../../platform/exec.ts';
import {sha256File} from '../../platform/files.ts';
import {skipWithout} from '../support/tool.ts';

const SETTLED = {seed: 'caisson 1.2.3', sourceDate: 1_795_054_374};
const DISK_BYTES = 64 * MIB;
const DRIVERS = {qcow2: 'qcow2', vmdk: 'vmdk', vhd: 'vpc'} as const;

const folder = await mkdtemp(join(tmpdir(), 'disk-formats-'));
after(() => rm(folder, {recursive: true}));

describe('a disk in the forms of others', {skip: await skipWithout(['qemu-img'], 'qemu-utils')}, () => {
  const raw = join(folder, 'disk.raw');

  before(async () => {
    const file = await open(raw, 'w');
    try {
      await file.truncate(DISK_BYTES);
      for (const at of [0, 10 * MIB, DISK_BYTES - 4096]) await file.write(randomBytes(4096), 0, 4096, at);
    } finally {
      await file.close();
    }
  });

  for (const [format, driver] of Object.entries(DRIVERS) as [keyof typeof DRIVERS, string][])
    it(`is the same disk as ${format}, and the same file each time`, async () => {
      const hashes = new Set<string>();
      for (const name of ['first', 'second']) {
        const out = join(folder, `${name}.${format}`);
        await exec(convertCommand(format, raw, out));
        await settleImage(format, out, SETTLED);
        hashes.add(await sha256File(out));
        // It exits with another code when they differ.
        await exec(['qemu-img', 'compare', '-f', 'raw', '-F', driver, raw, out]);
        const {stdout} = await exec(['qemu-img', 'info', '-f', driver, '--output=json', out]);
        assert.equal((JSON.parse(stdout) as {'virtual-size': number})['virtual-size'], DISK_BYTES);
        if (format !== 'vhd') await exec(['qemu-img', 'check', '-f', driver, out]);
      }
      assert.equal(hashes.size, 1);
    });

  it('ends as a VHD in the footer that the specification wants', async () => {
    const out = join(folder, 'first.vhd');
    assert.equal((await stat(out)).size, DISK_BYTES + 512);
    const footer = (await readFile(out)).subarray(DISK_BYTES);
    const sum = footer.reduce((total, byte, at) => (at >= 64 && at < 68 ? total : total + byte), 0);
    assert.equal(footer.readUInt32BE(64), ~sum >>> 0);
    // Fixed, and of that size.
    assert.deepEqual([footer.readUInt32BE(60), footer.readBigUInt64BE(48)], [2, BigInt(DISK_BYTES)]);
  });
});

const withoutIso =
  (await skipWithout(['xorriso'], 'xorriso')) ||
  (await skipWithout(['sgdisk'], 'gdisk')) ||
  (await skipWithout(['mcopy'], 'mtools'));
describe('the ISO', {skip: withoutIso}, () => {
  it('has the UKI where firmware looks on discs and on sticks, and is the same file each time', async () => {
    const [uki, tree, esp] = [join(folder, 'live.efi'), join(folder, 'tree'), join(folder, 'esp.img')];
    const content = randomBytes(40 * MIB);
    await writeFile(uki, content);
    await mkdir(tree);
    await writeFile(join(tree, 'README.TXT'), 'read me');
    for (const path of [join(tree, 'README.TXT'), tree])
      await utimes(path, SETTLED.sourceDate, SETTLED.sourceDate);
    await writeIsoEsp(esp, {path: uki, bytes: content.length}, SETTLED);
    const env = {SOURCE_DATE_EPOCH: String(SETTLED.sourceDate)};
    const hashes = new Set<string>();
    for (const name of ['first.iso', 'second.iso']) {
      await exec(isoCommand({esp, tree, out: join(folder, name)}), {env});
      hashes.add(await sha256File(join(folder, name)));
    }
    assert.equal(hashes.size, 1);
    const iso = join(folder, 'first.iso');
    const {stdout: report} = await exec([
      'xorriso',
      '-indev',
      iso,
      '-report_el_torito',
      'plain',
      '-pvd_info',
    ]);
    assert.match(report, /El Torito boot img : +1 +UEFI +y/);
    assert.match(report, new RegExp(`Volume Id +: ${ISO_LABEL}`));
    const {stdout: table} = await exec(['sgdisk', '--verify', '--print', iso]);
    const [, first = ''] = /^ +2 +(\d+) +\d+ .* EF00 /m.exec(table) ?? [];
    const copyOf = async (path: string): Promise<Buffer> => {
      const copy = join(folder, 'copy.efi');
      await exec(['mcopy', '-n', '-o', '-i', `${iso}@@${Number(first) * 512}`, `::/${path}`, copy]);
      return readFile(copy);
    };
    const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    assert.equal(hashOf(await copyOf('EFI/BOOT/BOOTX64.EFI')), hashOf(content));
    assert.ok((await copyOf('loader/addons/memory.addon.efi')).includes('caisson.root=memory'));
  });
});
