import assert from 'node:assert/strict';
import {mkdtemp, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {kernelCommandLine} from '../../../image/command-line.ts';
import {DiskInspectionError, type DiskInspection, inspectDisk} from '../../../image/disk-inspection.ts';
import {PLACES, type SmallDisk, patch, writeSmallDisk, writeUsr} from '../../support/small-disk.ts';
import {peFile, ukiFile} from '../../support/uki-file.ts';

const MIB = 1024 * 1024;
const folder = await mkdtemp(join(tmpdir(), 'disk-inspection-'));
after(() => rm(folder, {recursive: true}));
const usrPath = join(folder, 'usr.img');
const facts = await writeUsr(usrPath);
const uki = ukiFile({commandLine: kernelCommandLine(['quiet'], facts)});
const FRESH: SmallDisk = {
  slots: {A: [1, 0, true], B: [0, 0, false]},
  ukis: {A: uki},
  usr: {A: {path: usrPath, facts}},
};

let disks = 0;
async function makeDisk(disk: SmallDisk = FRESH): Promise<string> {
  const path = join(folder, `disk-${(disks += 1)}`);
  await writeSmallDisk(path, disk);
  return path;
}

async function inspect(
  disk: SmallDisk,
  change?: (path: string) => Promise<unknown>,
): Promise<DiskInspection> {
  const path = await makeDisk(disk);
  await change?.(path);
  return inspectDisk(path);
}

describe('inspectDisk', () => {
  it('finds nothing wrong with a fresh image', async () => {
    const found = await inspect(FRESH);
    assert.deepEqual(found.problems, []);
    assert.deepEqual(found.table, {primary: 'valid', backup: 'valid', agree: true});
    assert.deepEqual(
      found.partitions.map(({label, offset}) => [label, offset]),
      [
        ['EFI-SYSTEM', MIB],
        ['USR-A', PLACES.A],
        ['USR-B', PLACES.B],
        ['ROOT', 4 * MIB],
      ],
    );
    assert.deepEqual(
      found.espFiles.map(({path}) => path),
      ['EFI/BOOT/BOOTX64.EFI', 'EFI/caisson/usr-a.efi'],
    );
    const [a, b] = found.slots;
    assert.deepEqual(a?.uki.kind === 'uki' && [a.uki.version, a.uki.channel], ['1.2.3', 'stable']);
    assert.equal(a?.usr.kind === 'usr' && a.usr.rootHash, facts.rootHash);
    assert.deepEqual([b?.uki.kind, b?.usr.kind], ['missing', 'empty']);
    assert.equal(found.boot.letter, 'A');
  });

  it('says why a slot that is to be started would not come up', async () => {
    const other = ukiFile({commandLine: kernelCommandLine([], {...facts, rootHash: 'f'.repeat(64)})});
    const cases: [RegExp, SmallDisk, ((path: string) => Promise<unknown>)?][] = [
      [
        /^slot A is to be started, but the UKI wants a \/usr with root hash ffff/,
        {...FRESH, ukis: {A: other}},
      ],
      [/^slot A is to be started, but the UKI looks for partition ffffffff-/, {...FRESH, ukis: {A: other}}],
      [/^slot A is to be started, but there is no UKI/, {...FRESH, ukis: {}}],
      [
        /^slot A is to be started, but the UKI is damaged: .* no EFI program/,
        {...FRESH, ukis: {A: Buffer.from('x')}},
      ],
      [/^slot A is to be started, but \/usr is empty/, {...FRESH, usr: {}}],
      [
        /^slot A is to be started, but \/usr is damaged: signature is/,
        FRESH,
        (path) => patch(path, PLACES.A + facts.hashOffset, Buffer.alloc(8)),
      ],
      [
        /^slot B is to be started, but there is no UKI/,
        {...FRESH, slots: {A: [1, 0, true], B: [2, 3, false]}},
      ],
    ];
    for (const [pattern, disk, change] of cases) {
      const {problems} = await inspect(disk, change);
      assert.ok(
        problems.some((problem) => pattern.test(problem)),
        `${pattern} in ${problems.join('\n')}`,
      );
    }
  });

  it('foretells what the selector does with UKIs that cannot be loaded, and with those that can', async () => {
    const slots = {A: [1, 0, true], B: [2, 3, false]} as const;
    const noProgram = await inspect({...FRESH, slots, ukis: {A: uki, B: Buffer.from('no program')}});
    assert.equal(noProgram.boot.letter, 'A');
    const noUki = await inspect({...FRESH, slots, ukis: {A: uki, B: peFile([['.text', 'a program']])}});
    assert.equal(noUki.boot.letter, 'B');
    assert.ok(noUki.problems.some((problem) => problem.includes('no .linux section')));
    const nothing = await inspect({...FRESH, ukis: {}});
    assert.equal(nothing.boot.letter, null);
    assert.ok(nothing.problems.some((problem) => problem.startsWith('nothing would be started: no slot')));
  });

  it('finds damage within /usr only when it is told to read all of it', async () => {
    const path = await makeDisk();
    const verify = {signal: new AbortController().signal, onBytes: () => undefined};
    assert.deepEqual((await inspectDisk(path, verify)).problems, []);
    await patch(path, PLACES.A + 100 * 4096, Buffer.from('changed'));
    assert.deepEqual((await inspectDisk(path)).problems, []);
    const {problems} = await inspectDisk(path, verify);
    assert.match(problems.join(), /slot A is to be started, but \/usr is damaged: block 100 of \/usr/);
  });

  it('names the copy of the table that is damaged', async () => {
    const zeros = new Uint8Array(512);
    const primary = await inspect(FRESH, (path) => patch(path, 512, zeros));
    assert.match(
      primary.problems.join(),
      /^the primary partition table is damaged: no GPT header in sector 1/,
    );
    assert.equal(primary.boot.letter, 'A');
    const backup = await inspect(FRESH, (path) => patch(path, 8 * MIB - 512, zeros));
    assert.match(backup.problems.join(), /^the backup partition table is damaged: no GPT header/);
    assert.equal(backup.table.primary, 'valid');
  });

  it('goes on without an ESP that can be read, and without parts of it', async () => {
    const none = await inspect(FRESH, (path) => patch(path, PLACES.esp, new Uint8Array(512)));
    assert.match(none.problems.join('\n'), /^ESP: there is no FAT32 file system.*\n/);
    assert.match(none.problems.join('\n'), /the UKI is damaged: the ESP cannot be read/);
    // The first directory of clusters 2 to 5: everything below it is gone.
    const gone = await inspect(FRESH, (path) => patch(path, PLACES.esp + 4 * 512, new Uint8Array(512)));
    assert.match(gone.problems.join('\n'), /^ESP: \d+ clusters are in use but belong to no file\n/);
    assert.match(gone.problems.join('\n'), /ESP: there is no \/EFI\/BOOT\/BOOTX64.EFI/);
  });

  it('refuses files that are no disks, with their name', async () => {
    const path = join(folder, 'other');
    const refuses = (code: string, pattern: RegExp): Promise<void> =>
      assert.rejects(inspectDisk(path), (error) => {
        assert.ok(error instanceof DiskInspectionError, String(error));
        assert.equal(error.code, code);
        assert.match(`${error.message} ${error.hint}`, pattern);
        assert.ok(error.message.includes(path));
        return true;
      });
    await writeFile(path, 'QFI\u00fb and more', 'latin1');
    await refuses('qcow2', /qemu-img convert -O raw/);
    await writeFile(path, '');
    await refuses('no-table', /no valid partition table/);
    await writeFile(path, Buffer.alloc(100_000));
    await refuses('no-table', /the signature is missing/);
  });

  it('says that a disk was cut off', async () => {
    const path = await makeDisk();
    await truncate(path, 5 * MIB);
    await assert.rejects(inspectDisk(path), /usable sectors 34 to 16350 do not lie on a disk of 10240/);
  });
});
