/**
 * mkfs.vfat and fsck.vfat (package dosfstools) and mtools make, fill, break and judge the volumes that we read.
 */
import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, open, readFile, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {FatError} from '../../formats/fat/boot-sector.ts';
import {type FatVolume, openFat} from '../../formats/fat/volume.ts';
import {type Argv, exec} from '../../platform/exec.ts';
import {withByteSource} from '../../platform/files.ts';
import {skipWithout} from '../support/tool.ts';

const MIB = 1024 * 1024;
const skip =
  (await skipWithout(['mkfs.vfat', 'fsck.vfat'], 'dosfstools')) ||
  (await skipWithout(['mdir', 'mcopy', 'mmd', 'mdel', 'mren'], 'mtools'));
const folder = await mkdtemp(join(tmpdir(), 'fat-oracle-'));
after(() => rm(folder, {recursive: true}));

const mtools = (image: string, [tool, ...args]: Argv): ReturnType<typeof exec> =>
  exec([tool, '-i', image, ...args], {env: {MTOOLS_SKIP_CHECK: '1', TZ: 'UTC', LC_ALL: 'C.UTF-8'}});

async function makeVolume(name: string, sectorBytes: number, bytes: number): Promise<string> {
  const image = join(folder, name);
  await writeFile(image, '');
  await truncate(image, bytes);
  await exec(['mkfs.vfat', '-F', '32', '-S', String(sectorBytes), '-s', '1', '-n', 'EFI-SYSTEM', image]);
  return image;
}

async function onVolume<T>(image: string, use: (volume: FatVolume) => Promise<T>): Promise<T> {
  return withByteSource(image, async (source) => use(await openFat(source)));
}

/** Fills the volume as months of updates would: names of all kinds, holes, and files that lie in pieces. */
async function fill(image: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const put = async (path: string, bytes: number): Promise<void> => {
    const content = randomBytes(bytes);
    const file = join(folder, 'content');
    await writeFile(file, content);
    await mtools(image, ['mcopy', '-o', file, `::/${path}`]);
    files.set(path, createHash('sha256').update(content).digest('hex'));
  };
  for (const directory of ['EFI', 'EFI/BOOT', 'EFI/caisson', 'A directory with a long name'])
    await mtools(image, ['mmd', `::/${directory}`]);
  await put('EFI/BOOT/BOOTX64.EFI', 106_686);
  for (let index = 0; index < 40; index += 1) await put(`EFI/caisson/filler ${index}.efi.tmp`, 30_000);
  for (let index = 0; index < 40; index += 2) {
    await mtools(image, ['mdel', `::/EFI/caisson/filler ${index}.efi.tmp`]);
    files.delete(`EFI/caisson/filler ${index}.efi.tmp`);
  }
  await put('EFI/caisson/usr-a.efi', 5 * MIB + 1);
  await put('EFI/caisson/usr-b.efi.new', 4096);
  await mtools(image, ['mren', '::/EFI/caisson/usr-b.efi.new', '::/EFI/caisson/usr-b renamed.efi']);
  files.set('EFI/caisson/usr-b renamed.efi', files.get('EFI/caisson/usr-b.efi.new') ?? '');
  files.delete('EFI/caisson/usr-b.efi.new');
  await put(`A directory with a long name/${'n'.repeat(200)}.txt`, 1);
  await put('A directory with a long name/empty', 0);
  await put('lower.txt', 513);
  await put('Mixed.Case', 512);
  await put('grün ĵ.txt', 10);
  await put('EFI/日本語.txt', 10);
  return files;
}

describe('FAT32', {skip}, () => {
  for (const sectorBytes of [512, 4096]) {
    it(`reads what mtools wrote, sectors of ${sectorBytes} bytes`, async () => {
      const image = await makeVolume(`volume-${sectorBytes}`, sectorBytes, sectorBytes * 140_000);
      const files = await fill(image);
      await exec(['fsck.vfat', '-n', image]);
      const {stdout} = await mtools(image, ['mdir', '-/', '-a', '-b', '::']);
      const listed = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.replace(/^::\//, '').replace(/\/$/, ''));
      await onVolume(image, async (volume) => {
        assert.equal(volume.label, 'EFI-SYSTEM');
        const walked = await volume.walk();
        assert.deepEqual(walked.map(({path}) => path).sort(), listed.sort());
        assert.deepEqual(
          walked.filter(({kind}) => kind === 'file').map(({path}) => path),
          [...files.keys()].sort(),
        );
        for (const [path, sha256] of files) {
          const source = volume.open(await volume.find(path.toUpperCase()));
          const content = await source.readAt(0, source.bytes);
          assert.equal(createHash('sha256').update(content).digest('hex'), sha256, path);
        }
        assert.deepEqual(await volume.check(), []);
      });
    });
  }

  it('finds fault where fsck.vfat does', async () => {
    const image = await makeVolume('broken', 512, 70_000 * 512);
    await mtools(image, ['mcopy', join(import.meta.dirname, 'fat-oracle.test.ts'), '::/one file.ts']);
    const whole = await readFile(image);
    const {tableOffset, tableStride} = await onVolume(image, ({geometry}) => Promise.resolve(geometry));
    const first = await onVolume(image, async (volume) => (await volume.find('one file.ts')).firstCluster);
    const damages: Record<string, (bytes: Buffer) => void> = {
      'one copy of the table': (bytes) => bytes.writeUInt32LE(0, tableOffset + tableStride + 4 * first),
      'lost clusters': (bytes) => {
        for (const copy of [0, 1])
          bytes.writeUInt32LE(0x0fff_ffff, tableOffset + copy * tableStride + 4 * 60_000);
      },
      'a chain that ends too early': (bytes) => {
        for (const copy of [0, 1])
          bytes.writeUInt32LE(0x0fff_ffff, tableOffset + copy * tableStride + 4 * first);
      },
      'a mark of unclean unmounting': (bytes) => bytes.writeUInt8(1, 65),
    };
    for (const [what, damage] of Object.entries(damages)) {
      const bytes = Buffer.from(whole);
      damage(bytes);
      await writeFile(image, bytes);
      const {exitCode} = await exec(['fsck.vfat', '-n', image], {okCodes: [0, 1]});
      assert.equal(exitCode, 1, `fsck.vfat sees ${what}`);
      const problems = await onVolume(image, (volume) => volume.check()).catch((error: unknown) => {
        assert.ok(error instanceof FatError, String(error));
        return [error.message];
      });
      assert.equal(problems.length > 0, true, what);
    }
  });

  it('refuses a volume that was cut off, and FAT16', async () => {
    const image = await makeVolume('cut', 512, 70_000 * 512);
    const file = await open(image, 'r+');
    await file.truncate(60_000 * 512);
    await file.close();
    await assert.rejects(
      onVolume(image, () => Promise.resolve()),
      /has 358\d+ bytes, its place only 30720000/,
    );
    await truncate(image, 16 * MIB);
    await exec(['mkfs.vfat', '-F', '16', image]);
    await assert.rejects(
      onVolume(image, () => Promise.resolve()),
      /FAT12 or FAT16/,
    );
  });
});
