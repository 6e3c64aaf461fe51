/** Independent tools read the release that was built, and agree with what we say of it. */
import assert from 'node:assert/strict';
import {readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {before, describe, it} from 'node:test';
import {type Release, fileOfRole, parseRelease} from '../../formats/release.ts';
import {placePartitions} from '../../formats/disk-layout.ts';
import {type Argv, exec} from '../../platform/exec.ts';
import {releaseFolder} from '../support/release.ts';

const folder = releaseFolder();
const disk = join(folder, 'disk.raw');
let release: Release;

before(async () => {
  const path = join(folder, 'release.json');
  release = parseRelease(await readFile(path, 'utf8'), path);
});

async function output(...argv: Argv): Promise<string> {
  return (await exec(argv)).stdout;
}

describe('the disk image', () => {
  it('has a table that sgdisk finds no fault in', async () => {
    const report = await output('sgdisk', '--verify', disk);
    assert.match(report, /No problems found/);
    assert.doesNotMatch(report, /[Ww]arning|[Cc]aution/);
  });

  it('has the partitions of the layout, as sfdisk sees them', async () => {
    interface Table {
      partitiontable: {
        label: string;
        partitions: {start: number; size: number; type: string; uuid: string; name: string; attrs?: string}[];
      };
    }
    const {partitiontable} = JSON.parse(await output('sfdisk', '--json', disk)) as Table;
    assert.equal(partitiontable.label, 'gpt');
    const expected = placePartitions().map(({label, type, offset, bytes}) => ({
      name: label,
      type: type.toUpperCase(),
      start: offset / 512,
      size: bytes / 512,
    }));
    assert.deepEqual(
      partitiontable.partitions.map(({name, type, start, size}) => ({name, type, start, size})),
      expected,
    );
    assert.equal(partitiontable.partitions[1]?.uuid.toLowerCase(), release.usr.partitionGuid);
    assert.ok(release.usr.rootHash.startsWith(release.usr.partitionGuid.replaceAll('-', '')));
  });

  it('has slot A good and slot B empty, as cgpt sees them', async () => {
    const bit = async (index: number, flag: string): Promise<number> =>
      Number(await output('cgpt', 'show', '-i', String(index), flag, disk));
    const bits = async (index: number): Promise<number[]> =>
      Promise.all(['-P', '-T', '-S'].map((flag) => bit(index, flag)));
    assert.deepEqual(await bits(2), [1, 0, 1]);
    assert.deepEqual(await bits(3), [0, 0, 0]);
  });

  it('has an ESP that fsck.vfat accepts, with selector and UKI byte for byte', async (t) => {
    const esp = join(folder, '.esp-test.img');
    t.after(() => rm(esp, {force: true}));
    const [first] = placePartitions();
    await exec([
      'dd',
      `if=${disk}`,
      `of=${esp}`,
      'bs=1M',
      'conv=sparse',
      `skip=${(first?.offset ?? 0) >> 20}`,
      `count=${(first?.bytes ?? 0) >> 20}`,
    ]);
    assert.match(await output('fsck.vfat', '-n', esp), /\d+ files, \d+\/\d+ clusters/);
    for (const [path, role] of [
      ['EFI/BOOT/BOOTX64.EFI', 'selector'],
      ['EFI/caisson/usr-a.efi', 'uki'],
    ] as const) {
      const copy = join(folder, '.esp-file');
      await exec(['mcopy', '-n', '-o', '-i', esp, `::/${path}`, copy]);
      t.after(() => rm(copy, {force: true}));
      await exec(['cmp', copy, join(folder, fileOfRole(release, role))]);
    }
  });
});

describe('the /usr image', () => {
  const image = join(folder, 'usr.img');

  it('is an erofs of which fsck.erofs decodes every file, and which it refuses when cut short', async (t) => {
    assert.equal((await exec(['fsck.erofs', '--extract', image])).exitCode, 0);
    const damaged = join(folder, '.usr-short.img');
    t.after(() => rm(damaged, {force: true}));
    await exec(['dd', `if=${image}`, `of=${damaged}`, 'bs=1M', 'count=64']);
    await assert.rejects(exec(['fsck.erofs', '--extract', damaged]));
  });

  it('verifies against the root hash with veritysetup, and not after a flipped byte', async (t) => {
    const verify = (file: string) =>
      exec(
        [
          'veritysetup',
          'verify',
          file,
          file,
          release.usr.rootHash,
          `--hash-offset=${release.usr.hashOffset}`,
        ],
        {okCodes: [0, 1, 2]},
      );
    assert.equal((await verify(image)).exitCode, 0);
    const damaged = join(folder, '.usr-damaged.img');
    t.after(() => rm(damaged, {force: true}));
    await exec(['cp', '--reflink=auto', image, damaged]);
    await exec([
      'dd',
      'if=/dev/urandom',
      `of=${damaged}`,
      'bs=1',
      'count=16',
      'conv=notrunc',
      `seek=${release.usr.hashOffset >> 1}`,
    ]);
    assert.notEqual((await verify(damaged)).exitCode, 0);
  });

  it('is in slot A, byte for byte', async () => {
    const usr = placePartitions().find(({name}) => name === 'usrA');
    await exec(['cmp', `--bytes=${release.usr.bytes}`, `--ignore-initial=${usr?.offset}:0`, disk, image]);
  });
});

describe('the other files', () => {
  it('match SHA256SUMS, as openssl computes them', async () => {
    const sums = await readFile(join(folder, 'SHA256SUMS'), 'utf8');
    const names = sums
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(66));
    assert.deepEqual(names, [...Object.keys(release.files), 'release.json'].sort());
    const computed = await Promise.all(
      names.map(async (name) =>
        (await output('openssl', 'dgst', '-sha256', '-r', join(folder, name))).slice(0, 64),
      ),
    );
    assert.equal(names.map((name, index) => `${computed[index]}  ${name}\n`).join(''), sums);
  });

  it('hold the same disk as raw and as qcow2', async () => {
    assert.match(
      await output('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', disk, join(folder, 'disk.qcow2')),
      /Images are identical/,
    );
  });

  it('hold a UKI with the sections and the command line it needs', async (t) => {
    const uki = join(folder, 'uki.efi');
    const sections = await output('objdump', '--section-headers', uki);
    for (const section of ['.linux', '.initrd', '.cmdline', '.osrel', '.uname'])
      assert.match(sections, new RegExp(` \\${section} `));
    const file = join(folder, '.cmdline');
    t.after(() => rm(file, {force: true}));
    await exec(['objcopy', '--output-target=binary', '--only-section=.cmdline', uki, file]);
    const cmdline = await readFile(file, 'utf8');
    assert.match(cmdline, new RegExp(`usrhash=${release.usr.rootHash}`));
    assert.match(cmdline, new RegExp(`by-partuuid/${release.usr.partitionGuid}`));
  });

  it('hold an initrd that cpio reads', async () => {
    const list = await exec(['sh', '-c', 'zstd -dc "$1" | cpio -it --quiet', 'sh', join(folder, 'initrd')]);
    for (const path of [
      'init',
      'usr/lib/systemd/systemd',
      'etc/initrd-release',
      'usr/lib/systemd/system/caisson-etc.service',
    ]) {
      assert.ok(list.stdout.split('\n').includes(path), path);
    }
  });
});
