/**
 * The selector as an EFI program: firmware starts it from an ESP, and it starts small programs in place of UKIs.
 * Needs gcc, gnu-efi, mtools, QEMU and OVMF. The cases are those of the host tests that are marked `vm`.
 */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, open, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {slotUkiName, type SlotLetter} from '../../formats/gpt/slots.ts';
import {byteOffset} from '../../formats/gpt/table.ts';
import type {GptTable, SectorSize} from '../../formats/gpt/types.ts';
import {encodeGuid} from '../../formats/guid.ts';
import {efiCommands, selectorCommands, type EfiBuild} from '../../image/selector/build.ts';
import {exec} from '../../platform/exec.ts';
import {readGpt, withGptDisk} from '../../platform/gpt-disk.ts';
import {detectAcceleration} from '../../qemu/acceleration.ts';
import {qemuArguments} from '../../qemu/arguments.ts';
import {ensureFirmwareVars, findFirmware} from '../../qemu/firmware.ts';
import {TerminalText} from '../../qemu/terminal-text.ts';
import {SELECTOR_CASES} from '../fixtures/selector-cases.ts';
import {bitsOf, damageDisk, writeSlotDisk, type BitsOfSlots} from '../support/slot-disk.ts';

const MIB = 1024 * 1024;
const ESP_BYTES = 64 * MIB;
const DISK_BYTES = 96 * MIB;
const SOURCES = join(import.meta.dirname, '../../image/selector');
const HELLO = join(import.meta.dirname, '../fixtures/hello-uki.c');
/** Firmware takes 4 s without KVM on an idle machine, and the longest case waits 10 s for its reset. */
const BOOT_DEADLINE_MS = 180_000;

/** What lies in the place of a UKI. */
type Uki = 'hello' | 'returns' | 'garbage' | 'missing';

const folder = await mkdtemp(join(tmpdir(), 'selector-vm-'));
const programs: Record<'selector' | 'hello' | 'returns', string> = {selector: '', hello: '', returns: ''};

before(async () => {
  const options = {srcDir: SOURCES, outDir: folder, sources: [HELLO]};
  programs.selector = await build(selectorCommands(SOURCES, folder));
  programs.hello = await build(efiCommands({...options, name: 'hello'}));
  programs.returns = await build(efiCommands({...options, name: 'returns', defines: ['RETURNS']}));
});
after(() => rm(folder, {recursive: true}));

async function build({commands, output}: EfiBuild): Promise<string> {
  for (const argv of commands) await exec(argv);
  return output;
}

/** A FAT image with the selector and the two UKIs. */
async function makeEsp(sectorSize: SectorSize, ukis: Record<SlotLetter, Uki>): Promise<Buffer> {
  const tree = join(folder, 'esp');
  const image = join(folder, 'esp.img');
  await rm(tree, {recursive: true, force: true});
  await mkdir(join(tree, 'EFI/BOOT'), {recursive: true});
  await mkdir(join(tree, 'EFI/caisson'));
  await writeFile(join(tree, 'EFI/BOOT/BOOTX64.EFI'), await readFile(programs.selector));
  for (const letter of ['A', 'B'] as const) {
    const kind = ukis[letter];
    if (kind === 'missing') continue;
    const bytes = kind === 'garbage' ? Buffer.alloc(8192, 'not a program ') : await readFile(programs[kind]);
    await writeFile(join(tree, 'EFI/caisson', slotUkiName(letter)), bytes);
  }
  const file = await open(image, 'w');
  await file.truncate(ESP_BYTES);
  await file.close();
  const geometry = ['-T', String(ESP_BYTES / sectorSize), '-h', '64', '-s', '32'];
  // The size code of mformat: 128 bytes shifted left so often.
  const large = sectorSize === 4096 ? ['-S', '5', '-M', '4096'] : [];
  await exec(['mformat', '-i', image, ...large, ...geometry, '::']);
  await exec(['mcopy', '-s', '-i', image, join(tree, 'EFI'), '::']);
  return readFile(image);
}

interface Boot {
  /** Lines that the selector and the programs printed. */
  lines: string[];
  bits: BitsOfSlots;
  agree: boolean;
  table: GptTable;
}

async function boot(
  test: Pick<(typeof SELECTOR_CASES)[number], 'slots' | 'sectorSize' | 'diskBytes' | 'damage'>,
  ukis: Record<SlotLetter, Uki>,
): Promise<Boot> {
  const {sectorSize = 512, diskBytes = DISK_BYTES, slots} = test;
  const path = join(folder, 'disk');
  await rm(path, {force: true});
  const table = await writeSlotDisk(path, {sectorSize, diskBytes, slots, espBytes: ESP_BYTES});
  const esp = await makeEsp(sectorSize, ukis);
  await withGptDisk(path, {write: true, sectorSize}, (disk) =>
    disk.writeAt(byteOffset(table.entries[0]?.firstLba ?? 0n, sectorSize), esp),
  );
  await damageDisk(path, table, test.damage ?? []);
  const text = await runMachine(path, sectorSize);
  const reading = await withGptDisk(path, {sectorSize}, readGpt);
  const lines = text.split('\n').map((line) => line.trim());
  return {
    lines: lines.filter((line) => line.startsWith('caisson: ') || line.startsWith('hello ')),
    bits: bitsOf(reading.table),
    agree: reading.agree,
    table: reading.table,
  };
}

/**
 * Runs a machine to its end and returns its console. The console goes to a file: on a busy host characters went
 * missing when it was read through a pipe.
 */
async function runMachine(disk: string, sectorBytes: SectorSize): Promise<string> {
  const firmware = await findFirmware();
  const vars = join(folder, 'vars.fd');
  const log = join(folder, 'console.log');
  await rm(vars, {force: true});
  await ensureFirmwareVars(firmware, vars);
  const {accelerator} = await detectAcceleration();
  const argv = qemuArguments({
    name: 'selector',
    accelerator,
    memoryMiB: 256,
    cpus: 1,
    firmware: {code: firmware.code, vars},
    disks: [{path: disk, format: 'raw', sectorBytes, cache: 'unsafe'}],
    networks: [],
    serial: {kind: 'file', path: log},
    noReboot: true,
  });
  try {
    await exec(argv, {timeoutMs: BOOT_DEADLINE_MS});
  } catch (error) {
    throw new Error(`the machine did not end well; its console:\n${await readFile(log, 'utf8')}`, {
      cause: error,
    });
  }
  return new TerminalText().push(await readFile(log, 'utf8'));
}

function helloLine(letter: SlotLetter, table: GptTable): string {
  const esp = Buffer.from(encodeGuid(table.entries[0]?.uniqueGuid ?? '')).toString('hex');
  return `hello from \\EFI\\caisson\\${slotUkiName(letter)} on ${esp}`;
}

describe('the selector under firmware', () => {
  for (const test of SELECTOR_CASES.filter(({vm}) => vm === true)) {
    it(test.name, async () => {
      const uki = (letter: SlotLetter): Uki => (test.unloadable?.includes(letter) ? 'missing' : 'hello');
      const {lines, bits, agree, table} = await boot(test, {A: uki('A'), B: uki('B')});
      const shown = lines.join('\n');
      assert.equal(lines.filter((line) => line.includes(' booting ')).at(-1), test.line, shown);
      const last = 'caisson: no slot could be started; the machine resets in 10 seconds';
      assert.equal(lines.at(-1), test.starts === null ? last : helloLine(test.starts, table), shown);
      for (const letter of test.unloadable ?? []) {
        assert.match(
          shown,
          new RegExp(`${slotUkiName(letter)} cannot be loaded: not found \\(status 0x800000000000000e\\)`),
        );
      }
      assert.deepEqual(bits, test.after);
      assert.ok(agree);
    });
  }

  it('passes a damaged UKI and one that comes back', async () => {
    const slots = {A: [1, 0, true], B: [2, 3, false]} as const;
    const {lines, bits} = await boot({slots}, {A: 'returns', B: 'garbage'});
    assert.equal(
      lines.map((line) => line.replace(/ on [\da-f]{32}$/, '')).join('\n'),
      [
        'caisson: booting USR-B (priority 2, tries left 2, not yet successful)',
        'caisson: usr-b.efi cannot be loaded: not an EFI program, or damaged (status 0x8000000000000003)',
        'caisson: booting USR-A (priority 1, tries left 0, successful)',
        'hello from \\EFI\\caisson\\usr-a.efi',
        'caisson: usr-a.efi came back instead of running: failed (status 0x8000000000000015)',
        'caisson: no slot could be started; the machine resets in 10 seconds',
      ].join('\n'),
    );
    assert.deepEqual(bits, {A: [0, 0, true], B: [0, 2, false]});
  });
});
