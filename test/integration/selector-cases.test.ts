/**
 * The selector's C, compiled for this machine with sanitizers, against the table of cases that the rule in TypeScript
 * passes in the unit tests. What it leaves on disk is read by our codec and by cgpt.
 *
 * Needs gcc and cgpt, and fails without them: nothing else runs this code outside a virtual machine.
 */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, rm, truncate} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {encodeHeader, type GptHeader} from '../../formats/gpt/header.ts';
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import {encodeGpt, gptWriteSteps} from '../../formats/gpt/table.ts';
import type {GptTable, SectorSize} from '../../formats/gpt/types.ts';
import {SELECTOR_LOGIC, selectorCommands, WARNING_FLAGS} from '../../image/selector/build.ts';
import {exec, ExecError, type Argv} from '../../platform/exec.ts';
import {readGpt, updateGpt, withGptDisk, writeGpt} from '../../platform/gpt-disk.ts';
import {SELECTOR_CASES, SMALL_DISK_BYTES, type SelectorCase} from '../fixtures/selector-cases.ts';
import {bitsOf, damageDisk, slotTable, writeSlotDisk, type BitsOfSlots} from '../support/slot-disk.ts';

const SOURCES = join(import.meta.dirname, '../../image/selector');
const TRIAL_UPDATE = {A: [1, 0, true], B: [2, 3, false]} as const;
const POWER_CUT_EXIT = 3;
const FUZZ_ROUNDS = 5000;
const FUZZ_SEED = '20251109';
/**
 * Sectors written until power fails: around both ends of each array (32 sectors) and each header. The unit test of
 * our own writer tries every one.
 */
const POWER_CUTS = [0, 1, 2, 31, 32, 33, 34, 35, 64, 65];

const folder = await mkdtemp(join(tmpdir(), 'selector-cases-'));
const host = join(folder, 'selector-host');
const fuzz = join(folder, 'selector-fuzz');

interface HostResult {
  started: SlotLetter | null;
  tried: SlotLetter[];
  lines: string[];
  writes: ([number, number] | 'flush')[];
}

before(async () => {
  for (const [main, output] of [
    ['main.c', host],
    ['fuzz.c', fuzz],
  ] as const) {
    const sources = [...SELECTOR_LOGIC, `host/${main}`].map((name) => join(SOURCES, name));
    const sanitize = ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    await compile(['gcc', ...WARNING_FLAGS, ...sanitize, ...sources, '-o', output]);
  }
});
after(() => rm(folder, {recursive: true}));

async function compile(argv: Argv): Promise<void> {
  await exec(argv).catch((error: unknown) => {
    const isMissing = error instanceof ExecError && error.code === 'not-found';
    throw isMissing
      ? new Error('gcc is not installed (hint: apt-get install gcc libc6-dev)', {cause: error})
      : error;
  });
}

async function runHost(
  path: string,
  sectorSize: SectorSize,
  args: readonly string[] = [],
): Promise<HostResult> {
  const {stdout} = await exec([host, path, String(sectorSize), ...args], {timeoutMs: 60_000});
  return JSON.parse(stdout) as HostResult;
}

async function makeDisk(test: SelectorCase, name: string): Promise<{path: string; table: GptTable}> {
  const {sectorSize = 512, diskBytes = SMALL_DISK_BYTES, slots} = test;
  const path = join(folder, name);
  const options = {sectorSize, diskBytes, ...(test.firstSlot && {firstSlot: test.firstSlot})};
  const table = await writeSlotDisk(path, {...options, slots});
  if (test.backupSlots !== undefined) {
    const {backupEntries, backupHeader} = encodeGpt(slotTable({...options, slots: test.backupSlots}));
    await withGptDisk(path, {write: true, sectorSize}, async (disk) => {
      for (const {offset, bytes} of [backupEntries, backupHeader]) await disk.writeAt(offset, bytes);
    });
  }
  await damageDisk(path, table, test.damage ?? []);
  if (test.grownBytes !== undefined) await truncate(path, test.grownBytes);
  return {path, table};
}

/** Writes of the given table, as the harness reports them. */
function expectedWrites(table: GptTable, stores: SelectorCase['stores']): HostResult['writes'] {
  const encoded = encodeGpt(table);
  return stores.flatMap((first) =>
    gptWriteSteps(encoded, first).map((step): HostResult['writes'][number] => {
      if (step.kind === 'flush') return 'flush';
      const {offset, bytes} = step.region;
      return [offset / table.sectorSize, bytes.length / table.sectorSize];
    }),
  );
}

async function readBits(path: string, sectorSize: SectorSize): Promise<BitsOfSlots> {
  return bitsOf((await withGptDisk(path, {sectorSize}, readGpt)).table);
}

/** cgpt knows no sectors of 4096 bytes. */
async function cgptBits(path: string, table: GptTable): Promise<BitsOfSlots> {
  const found: [string, [number, number, boolean]][] = [];
  for (const [index, entry] of table.entries.entries()) {
    if (entry === null || !entry.name.startsWith('USR-')) continue;
    const field = async (flag: string) => {
      const argv = ['cgpt', 'show', '-i', String(index + 1), flag, path] as const;
      return Number((await exec(argv)).stdout);
    };
    found.push([entry.name.slice(4), [await field('-P'), await field('-T'), (await field('-S')) === 1]]);
  }
  return Object.fromEntries(found);
}

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

describe('the selector on a disk', () => {
  for (const [index, test] of SELECTOR_CASES.entries()) {
    it(test.name, async () => {
      const {path, table} = await makeDisk(test, `case-${index}`);
      const result = await runHost(path, table.sectorSize, test.unloadable);
      assert.equal(result.started, test.starts, result.lines.join('\n'));
      assert.equal(result.lines.filter((line) => line.includes(' booting ')).at(-1), test.line);
      assert.deepEqual(result.writes, expectedWrites(table, test.stores));
      if (test.line.includes('no usable partition table')) return;
      assert.deepEqual(await readBits(path, table.sectorSize), test.after);
      if (table.sectorSize === 512) assert.deepEqual(await cgptBits(path, table), test.after);
      if (test.stores.length > 0) {
        const reading = await withGptDisk(path, {sectorSize: table.sectorSize}, readGpt);
        assert.ok(reading.agree);
        // Nothing but slot bits has changed.
        const withoutBits = (value: GptTable) => ({
          ...value,
          entries: value.entries.map((entry) => entry && {...entry, attributes: 0n}),
        });
        assert.deepEqual(withoutBits(reading.table), withoutBits(table));
      }
      await rm(path);
    });
  }

  it('says in one line what it chose, and in others what is wrong', async () => {
    const base = {slots: TRIAL_UPDATE, starts: null, line: '', after: {}, stores: []};
    const {path} = await makeDisk({...base, name: '', damage: ['primaryEntries']}, 'lines');
    assert.deepEqual((await runHost(path, 512, ['B'])).lines, [
      'caisson: primary partition table is damaged: bad entries CRC',
      'caisson: booting USR-B (priority 2, tries left 2, not yet successful)',
      'caisson: booting USR-A (priority 1, tries left 0, successful)',
    ]);
    const none = await makeDisk({...base, name: '', slots: {A: [0, 0, false], B: [2, 0, false]}}, 'none');
    assert.deepEqual((await runHost(none.path, 512)).lines, [
      'caisson: no slot qualifies; USR-A: priority 0, tries left 0, not yet successful; ' +
        'USR-B: priority 2, tries left 0, not yet successful',
      'caisson: booting USR-B (last resort: priority 2, tries left 0, not yet successful)',
    ]);
  });

  it('counts down to the fallback over several starts', async () => {
    const path = join(folder, 'countdown');
    await writeSlotDisk(path, {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: TRIAL_UPDATE});
    const started: (SlotLetter | null)[] = [];
    for (let boot = 0; boot < 5; boot++) started.push((await runHost(path, 512)).started);
    assert.equal(started.join(''), 'BBBAA');
    assert.deepEqual(await readBits(path, 512), {A: [1, 0, true], B: [2, 0, false]});
  });

  it('keeps attributes that are not its own', async () => {
    const path = join(folder, 'attributes');
    const otherAttributes = (1n << 63n) | (1n << 60n) | (1n << 57n) | (1n << 47n) | 4n;
    const options = {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: TRIAL_UPDATE} as const;
    await writeSlotDisk(path, {...options, otherAttributes});
    await runHost(path, 512, ['B']);
    const {table} = await withGptDisk(path, {}, readGpt);
    assert.equal(table.entries[1]?.attributes, otherAttributes | (0x101n << 48n));
    assert.equal(table.entries[2]?.attributes, otherAttributes | (0x020n << 48n));
  });

  it('starts a UKI without bits when the disk has no slots or is another one', async () => {
    const path = join(folder, 'foreign');
    const table = await writeSlotDisk(path, {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: {}});
    const noSlots = await runHost(path, 512, ['A']);
    assert.deepEqual([noSlots.started, noSlots.writes], ['B', []]);
    assert.match(noSlots.lines.at(-1) ?? '', /last resort: no USR partition/);

    await writeSlotDisk(path, {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: TRIAL_UPDATE});
    const own = table.entries[0]?.firstLba ?? 0n;
    assert.equal((await runHost(path, 512, [`--own-lba=${own}`])).started, 'B');
    const other = await runHost(path, 512, [`--own-lba=${own + 8n}`]);
    assert.deepEqual([other.started, other.writes], ['A', []]);
  });
});

describe('the selector when writing fails', () => {
  const options = {sectorSize: 512, diskBytes: SMALL_DISK_BYTES} as const;

  for (const sectors of [0, 10, 33, 40]) {
    it(`boots a slot known good rather than one on trial: after ${sectors} sectors`, async () => {
      const path = join(folder, 'failing');
      await writeSlotDisk(path, {...options, slots: TRIAL_UPDATE});
      const result = await runHost(path, 512, [`--fail-writes=${sectors}`]);
      assert.equal(result.started, 'A');
      assert.match(result.lines[0] ?? '', /cannot write the partition table; starting a slot known good/);
      // Torn entries of the primary leave the backup to be read, with the try already taken.
      const tries = sectors === 40 ? 2 : 3;
      assert.deepEqual(await readBits(path, 512), {A: [1, 0, true], B: [2, tries, false]});
    });
  }

  it('boots the slot on trial when there is no other', async () => {
    const path = join(folder, 'failing');
    await writeSlotDisk(path, {...options, slots: {A: [1, 0, false], B: [2, 3, false]}});
    const result = await runHost(path, 512, ['--fail-writes=0']);
    assert.equal(result.started, 'B');
    assert.match(result.lines[0] ?? '', /cannot write the partition table; tries left stay/);
  });

  it('writes nothing more after a failure that left one valid copy', async () => {
    const path = join(folder, 'failing');
    const table = await writeSlotDisk(path, {...options, slots: TRIAL_UPDATE});
    const result = await runHost(path, 512, ['--fail-writes=40', 'A']);
    assert.deepEqual([result.tried.join(''), result.started], ['AB', 'B']);
    const [backupEntries, backupHeader, flush] = expectedWrites(table, ['backup']);
    assert.deepEqual(result.writes, [backupEntries, backupHeader, flush, [2, 7]]);
  });

  it('does not write the only table that is left', async () => {
    const path = join(folder, 'cut');
    const table = await writeSlotDisk(path, {...options, slots: TRIAL_UPDATE});
    await truncate(path, Number(table.backupEntriesLba) * 512);
    const result = await runHost(path, 512);
    assert.deepEqual([result.started, result.writes], ['A', []]);
    assert.match(result.lines[0] ?? '', /backup partition table is damaged: beyond the end of the disk/);
  });
});

describe('the selector when power fails', () => {
  for (const damage of [[], ['primaryHeader'], ['backupEntries']] as const) {
    it(`leaves the old or the new bits, damaged before: ${damage.join() || 'nothing'}`, async () => {
      const path = join(folder, 'power');
      const seen = new Set<number>();
      for (const sectors of POWER_CUTS) {
        const options = {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: TRIAL_UPDATE} as const;
        await damageDisk(path, await writeSlotDisk(path, options), damage);
        await exec([host, path, '512', `--power-cut=${sectors}`], {okCodes: [POWER_CUT_EXIT]});
        const bits = await readBits(path, 512);
        const tries = bits.B?.[1] ?? -1;
        assert.deepEqual(bits, {A: [1, 0, true], B: [2, tries, false]});
        assert.ok(tries === 3 || tries === 2, `tries ${tries} after ${sectors} sectors`);
        seen.add(tries);
        assert.equal((await runHost(path, 512)).started, 'B');
      }
      assert.deepEqual([...seen].sort(), [2, 3]);
    });
  }
});

describe('the selector on damaged tables', () => {
  const bad: [string, Partial<GptHeader>][] = [
    ['entries out of bounds', {firstUsableLba: 20n}],
    ['entries out of bounds', {entriesLba: 1n}],
    ['entries out of bounds', {entriesLba: (1n << 64n) - 1n}],
    ['bad usable range', {lastUsableLba: (1n << 64n) - 1n}],
    ['bad usable range', {firstUsableLba: 9000n, lastUsableLba: 8999n}],
    ['backup out of bounds', {alternateLba: 9000n}],
    ['header of another place', {myLba: 2n}],
  ];
  for (const [problem, change] of bad) {
    it(`refuses values that contradict each other under a correct CRC: ${JSON.stringify(change, bigintText)}`, async () => {
      const path = join(folder, 'contradiction');
      const options = {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: TRIAL_UPDATE} as const;
      await writeSlotDisk(path, options);
      const {primary} = await withGptDisk(path, {}, readGpt);
      assert.ok(primary.valid);
      const header = encodeHeader({...primary.header, ...change}, 512);
      await withGptDisk(path, {write: true}, (disk) => disk.writeAt(512, header));
      const result = await runHost(path, 512);
      assert.equal(result.lines[0], `caisson: primary partition table is damaged: ${problem}`);
      assert.equal(result.started, 'B');
      assert.deepEqual(await readBits(path, 512), {A: [1, 0, true], B: [2, 2, false]});
    });
  }

  for (const sectorSize of [512, 4096] as const) {
    it(`comes to an end whatever ${FUZZ_ROUNDS} tables of ${sectorSize}-byte sectors hold`, async () => {
      const path = join(folder, `fuzz-${sectorSize}`);
      // As small as the layout allows: the whole disk is copied in each round.
      const diskBytes = 6 * 1024 * 1024;
      await writeSlotDisk(path, {sectorSize, diskBytes, slots: TRIAL_UPDATE});
      const argv = [fuzz, path, String(sectorSize), FUZZ_SEED, String(FUZZ_ROUNDS)] as const;
      const {stdout} = await exec(argv, {timeoutMs: 300_000});
      const readable = Number(/^(\d+) of/.exec(stdout)?.[1]);
      // Both kinds must be there, or the damage has missed its aim.
      assert.ok(readable > FUZZ_ROUNDS / 10 && readable < FUZZ_ROUNDS, stdout);
    });
  }
});

describe('what a table of ours and the selector agree on', () => {
  it('is the same bytes: C lowers the tries as TypeScript would', async () => {
    for (const sectorSize of [512, 4096] as const) {
      const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
      const options = {sectorSize, diskBytes: SMALL_DISK_BYTES};
      for (const path of [ours, theirs]) await writeSlotDisk(path, {...options, slots: TRIAL_UPDATE});
      const wanted = slotTable({...options, slots: {A: [1, 0, true], B: [2, 2, false]}});
      await withGptDisk(ours, {write: true}, (disk) => updateGpt(disk, () => wanted));
      await runHost(theirs, sectorSize);
      assert.ok((await readFile(ours)).equals(await readFile(theirs)));
      await withGptDisk(theirs, {write: true}, (disk) => writeGpt(disk, wanted));
      assert.ok((await readFile(ours)).equals(await readFile(theirs)));
    }
  });
});

describe('a table that is laid out unlike ours', () => {
  it('stays as it is, apart from slot bits', async () => {
    const path = join(folder, 'unusual');
    const options = {sectorSize: 512, diskBytes: SMALL_DISK_BYTES, slots: TRIAL_UPDATE} as const;
    const ours = await writeSlotDisk(path, options);
    // As sgdisk does it: the backup entries right behind the last usable sector, which ends early.
    const lastUsableLba = ours.lastUsableLba - 100n;
    const unusual = {...ours, lastUsableLba, backupEntriesLba: lastUsableLba + 1n};
    await withGptDisk(path, {write: true}, (disk) => writeGpt(disk, unusual));
    const result = await runHost(path, 512);
    assert.deepEqual(result.writes, expectedWrites(unusual, ['backup']));
    const {table, agree} = await withGptDisk(path, {}, readGpt);
    assert.ok(agree);
    assert.deepEqual({...table, entries: unusual.entries}, unusual);
  });
});

describe('the EFI build', () => {
  it('gives the same bytes from another folder', async () => {
    const outputs: Buffer[] = [];
    for (const name of ['one', 'another']) {
      const source = join(folder, name, 'source');
      const outDir = join(folder, name, 'out');
      await mkdir(outDir, {recursive: true});
      await exec(['cp', '-r', SOURCES, source]);
      const {commands, output} = selectorCommands(source, outDir);
      for (const argv of commands) await compile(argv);
      outputs.push(await readFile(output));
    }
    assert.ok(outputs[0]?.equals(outputs[1] ?? Buffer.alloc(0)));
  });
});
