/**
 * Other people's partitioning tools read the tables that we write, and we read theirs: sgdisk (package gdisk),
 * sfdisk and fdisk (package fdisk), cgpt (package cgpt). Of these only fdisk can be told the sector size of a file in
 * every Debian release that we build on.
 */
import assert from 'node:assert/strict';
import {mkdtemp, open, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {makeNext, readSlots, type SlotLetter} from '../../formats/gpt/slots.ts';
import {encodeGpt} from '../../formats/gpt/table.ts';
import {PARTITION_TYPES, type GptTable} from '../../formats/gpt/types.ts';
import {exec, type Argv} from '../../platform/exec.ts';
import {readGpt, updateGpt, withGptDisk} from '../../platform/gpt-disk.ts';
import {damageDisk, writeSlotDisk, type SlotDiskOptions} from '../support/slot-disk.ts';
import {skipWithout} from '../support/tool.ts';

const MIB = 1024 * 1024;
const SLOTS = {A: [1, 0, true], B: [2, 3, false]} as const;
const DISKS = [
  {name: 'small', options: {sectorSize: 512, diskBytes: 64 * MIB, slots: SLOTS}},
  {name: 'of 3 TiB', options: {sectorSize: 512, diskBytes: 3 * MIB * MIB, slots: SLOTS}},
] satisfies {name: string; options: SlotDiskOptions}[];

const folder = await mkdtemp(join(tmpdir(), 'gpt-oracles-'));
after(() => rm(folder, {recursive: true}));

/** Debian keeps these tools out of a user's PATH. */
async function run(argv: Argv, okCodes: readonly number[] = [0]): Promise<string> {
  const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  return (await exec(argv, {env: {PATH, LC_ALL: 'C'}, okCodes})).stdout;
}

/** Ours, and then changed in place by us: both must please the tool. */
async function makeDisk(name: string, options: SlotDiskOptions): Promise<{path: string; table: GptTable}> {
  const path = join(folder, `${name}-${options.sectorSize}-${options.diskBytes}`);
  await writeSlotDisk(path, options);
  const change = (table: GptTable) => makeNext(table, 'A', 7);
  return {path, table: await withGptDisk(path, {write: true}, (disk) => updateGpt(disk, change))};
}

describe('sgdisk', {skip: await skipWithout(['sgdisk'], 'gdisk')}, () => {
  for (const {name, options} of DISKS) {
    it(`finds no problem on a disk ${name} and sees what we wrote`, async () => {
      const {path, table} = await makeDisk('sgdisk', options);
      const verdict = await run(['sgdisk', '-v', path]);
      assert.match(verdict, /No problems found/);
      assert.doesNotMatch(verdict, /Warning|Caution|Problem:/i);
      for (const [index, entry] of table.entries.entries()) {
        if (entry === null) continue;
        const info = await run(['sgdisk', '-i', String(index + 1), path]);
        assert.match(info, new RegExp(`Partition GUID code: ${entry.typeGuid}`, 'i'));
        assert.match(info, new RegExp(`Partition unique GUID: ${entry.uniqueGuid}`, 'i'));
        assert.match(info, new RegExp(`First sector: ${entry.firstLba} `));
        assert.match(info, new RegExp(`Last sector: ${entry.lastLba} `));
        assert.match(
          info,
          new RegExp(`Attribute flags: ${entry.attributes.toString(16).padStart(16, '0')}`, 'i'),
        );
        assert.match(info, new RegExp(`Partition name: '${entry.name}'`));
      }
    });
  }

  it('makes a table that we read', async () => {
    const path = join(folder, 'made-by-sgdisk');
    const file = await open(path, 'w');
    await file.truncate(64 * MIB);
    await file.close();
    const type = PARTITION_TYPES.usrX86_64;
    await run(['sgdisk', '-n', '2:2048:+8M', '-t', `2:${type}`, '-c', '2:USR-B', '-A', '2:set:48', path]);
    await run(['sgdisk', '-n', '1:0:+8M', '-t', `1:${type}`, '-c', '1:USR-A', '-A', '1:set:56', path]);
    const reading = await withGptDisk(path, {}, readGpt);
    assert.ok(reading.agree);
    assert.deepEqual(
      readSlots(reading.table).map(({letter, priority, successful}) => [letter, priority, successful]),
      [
        ['A', 0, true],
        ['B', 1, false],
      ],
    );
  });
});

describe('sfdisk', {skip: await skipWithout(['sfdisk'], 'fdisk')}, () => {
  for (const {name, options} of DISKS) {
    it(`reads the same from a disk ${name}`, async () => {
      const {path, table} = await makeDisk('sfdisk', options);
      await run(['sfdisk', '--verify', path]);
      const json = JSON.parse(await run(['sfdisk', '--json', path])) as SfdiskJson;
      const {partitiontable: seen} = json;
      assert.equal(seen.label, 'gpt');
      assert.equal(seen.id.toLowerCase(), table.diskGuid);
      assert.equal(seen.sectorsize, 512);
      assert.deepEqual([seen.firstlba, seen.lastlba].map(BigInt), [
        table.firstUsableLba,
        table.lastUsableLba,
      ]);
      assert.deepEqual(
        seen.partitions.map(({start, size, type, uuid, name: label, attrs}) => ({
          firstLba: BigInt(start),
          lastLba: BigInt(start + size - 1),
          typeGuid: type.toLowerCase(),
          uniqueGuid: uuid.toLowerCase(),
          name: label,
          attributes: attributeBits(attrs),
        })),
        table.entries.filter((entry) => entry !== null),
      );
    });
  }
});

describe('fdisk', {skip: await skipWithout(['fdisk'], 'fdisk')}, () => {
  it('reads the same from a disk with sectors of 4096 bytes', async () => {
    const options = {sectorSize: 4096, diskBytes: 15 * MIB * MIB, slots: SLOTS} as const;
    const {path, table} = await makeDisk('fdisk', options);
    const columns = 'Start,End,Type-UUID,UUID,Attrs,Name';
    const list = ['fdisk', '--bytes', '--sector-size', '4096', '--list', '--output', columns, path] as const;
    const {stdout, stderr} = await exec(list, {env: {PATH: `${process.env['PATH']}:/sbin`, LC_ALL: 'C'}});
    assert.equal(stderr, '');
    assert.match(stdout, /Disklabel type: gpt/);
    const rows = stdout.trimEnd().split('\n').slice(-4);
    assert.deepEqual(
      rows.map((row) => row.trim().split(/\s+/)),
      table.entries.flatMap((entry) => {
        if (entry === null) return [];
        const attributes = attributeText(entry.attributes);
        return [
          [
            entry.firstLba.toString(),
            entry.lastLba.toString(),
            entry.typeGuid.toUpperCase(),
            entry.uniqueGuid.toUpperCase(),
            ...(attributes === '' ? [] : [attributes]),
            entry.name,
          ],
        ];
      }),
    );
  });

  it('complains about a damaged copy, and no more after our update', async () => {
    const path = join(folder, 'damaged');
    const table = await writeSlotDisk(path, {sectorSize: 512, diskBytes: 64 * MIB, slots: SLOTS});
    for (const part of ['primaryHeader', 'primaryEntries', 'backupHeader', 'backupEntries'] as const) {
      await damageDisk(path, table, [part]);
      const env = {PATH: `${process.env['PATH']}:/sbin`, LC_ALL: 'C'};
      const before = await exec(['fdisk', '--list', path], {env});
      assert.match(before.stderr, /corrupt/i, part);
      await withGptDisk(path, {write: true}, (disk) => updateGpt(disk, (same) => same));
      const repaired = await exec(['fdisk', '--list', path], {env});
      assert.equal(repaired.stderr, '', part);
    }
    const encoded = encodeGpt(table);
    const bytes = await withGptDisk(path, {}, (disk) => disk.readAt(0, 34 * 512));
    assert.deepEqual(bytes.subarray(512, 1024), encoded.primaryHeader.bytes);
    assert.deepEqual(bytes.subarray(0, 512), encoded.protectiveMbr.bytes);
  });
});

describe('cgpt', {skip: await skipWithout(['cgpt'], 'cgpt')}, () => {
  for (const {name, options} of DISKS) {
    it(`sees our slot bits on a disk ${name}, and we see its`, async () => {
      const {path} = await makeDisk('cgpt', options);
      assert.deepEqual(await cgptBits(path), {A: [2, 7, false], B: [1, 3, false]});
      assert.doesNotMatch(await run(['cgpt', 'show', '-v', path]), /INVALID/);
      await run(['cgpt', 'add', '-i', '3', '-P', '15', '-T', '9', '-S', '1', path]);
      const {table} = await withGptDisk(path, {}, readGpt);
      const b = readSlots(table).find(({letter}) => letter === 'B');
      assert.deepEqual([b?.priority, b?.tries, b?.successful], [15, 9, true]);
    });
  }
});

interface SfdiskJson {
  partitiontable: {
    label: string;
    id: string;
    firstlba: number;
    lastlba: number;
    sectorsize: number;
    partitions: {start: number; size: number; type: string; uuid: string; name: string; attrs?: string}[];
  };
}

/** `GUID:48,56` as libfdisk writes it. */
function attributeBits(text = ''): bigint {
  const bits = text.replace('GUID:', '').split(',').filter(Boolean);
  return bits.reduce((value, bit) => value | (1n << BigInt(bit)), 0n);
}

function attributeText(value: bigint): string {
  const bits = Array.from({length: 64}, (_, bit) => bit).filter((bit) => (value >> BigInt(bit)) & 1n);
  return bits.length === 0 ? '' : `GUID:${bits.join(',')}`;
}

async function cgptBits(path: string): Promise<Record<SlotLetter, [number, number, boolean]>> {
  const field = async (index: number, flag: string) =>
    Number(await run(['cgpt', 'show', '-i', String(index), flag, path]));
  const bits = async (index: number): Promise<[number, number, boolean]> => [
    await field(index, '-P'),
    await field(index, '-T'),
    (await field(index, '-S')) === 1,
  ];
  return {A: await bits(2), B: await bits(3)};
}
