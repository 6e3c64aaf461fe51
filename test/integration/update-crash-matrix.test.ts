/**
 * The matrix of power cuts on real file systems: the ESP made by mkfs.vfat and mtools, /usr by mkfs.erofs; and what the
 * selector's own C says about some of the disks.
 *
 * CAISSON_CRASH_MATRIX=whole takes every possibility that test/support/power-cut.ts knows, `write` also writes the tables
 * to docs/update-crash-matrix.md; otherwise some of them, chosen by a fixed seed. The page's structure is compared.
 */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, open, readFile, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {ESP_PATHS} from '../../formats/slot/esp-paths.ts';
import {SELECTOR_LOGIC, WARNING_FLAGS} from '../../image/selector/build.ts';
import {exec} from '../../platform/exec.ts';
import {type CheckedDisk, type MatrixRow, formatMatrix, runMatrix} from '../support/crash-matrix.ts';
import {type CrashReleases, type EspFiles, crashScenarios} from '../support/crash-scenarios.ts';
import {SAMPLED, WHOLE} from '../support/power-cut.ts';
import {SECTOR} from '../support/recording-disk.ts';
import {skipWithout} from '../support/tool.ts';
import {smallRelease} from '../support/update-world.ts';

const PAGE = join(import.meta.dirname, '../../docs/update-crash-matrix.md');
const SOURCES = join(import.meta.dirname, '../../image/selector');
const SEED = 20_251_109;
const MIB = 1024 * 1024;
/** The least that FAT32 can have is 65,525 clusters. */
const ESP_SECTORS = 67_000;
const BLOCK = 4096;
/** Of the disks of a scenario, those that the selector's C is asked about. */
const SELECTOR_SAMPLES = 12;

const mode = process.env['CAISSON_CRASH_MATRIX'];
const isWhole = mode === 'whole' || mode === 'write';
const skip =
  (await skipWithout(['mkfs.vfat', 'fsck.vfat'], 'dosfstools')) ||
  (await skipWithout(['mmd', 'mcopy'], 'mtools')) ||
  (await skipWithout(['mkfs.erofs'], 'erofs-utils')) ||
  (await skipWithout(['gcc'], 'gcc'));
const folder = await mkdtemp(join(tmpdir(), 'crash-matrix-'));
const selector = join(folder, 'selector-host');
after(() => rm(folder, {recursive: true}));

async function makeUsr(version: string): Promise<Buffer> {
  const tree = join(folder, `tree-${version}`);
  await mkdir(join(tree, 'lib'), {recursive: true});
  await writeFile(join(tree, 'lib/os-release'), `VERSION_ID=${version}\n`);
  for (let index = 0; index < 6; index += 1)
    await writeFile(join(tree, `file-${index}`), Buffer.alloc(40_000, `${version} ${index} `));
  const image = join(folder, `${version}.erofs`);
  await exec(['mkfs.erofs', '--quiet', '-T', '0', '-U', '5c2b3c1e-9c54-4c3f-8d1f-0c9a4e6d7b10', image, tree]);
  const bytes = await readFile(image);
  const padded = Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK);
  bytes.copy(padded);
  return padded;
}

async function makeEsp({selector: program, ukis}: EspFiles): Promise<Buffer> {
  const image = join(folder, 'esp');
  await rm(image, {force: true});
  await writeFile(image, '');
  await truncate(image, ESP_SECTORS * SECTOR);
  await exec(['mkfs.vfat', '--invariant', '-F', '32', '-s', '1', '-n', 'EFI-SYSTEM', image]);
  const env = {MTOOLS_SKIP_CHECK: '1', TZ: 'UTC', SOURCE_DATE_EPOCH: '1'};
  for (const directory of ['EFI', 'EFI/BOOT', 'EFI/caisson'])
    await exec(['mmd', '-i', image, `::/${directory}`], {env});
  for (const [path, content] of [
    [ESP_PATHS.selector, program],
    [ESP_PATHS.ukiA, ukis.A],
    [ESP_PATHS.ukiB, ukis.B],
  ] as const) {
    if (content === undefined) continue;
    const file = join(folder, 'content');
    await writeFile(file, content);
    await exec(['mcopy', '-i', image, file, `::/${path}`], {env});
  }
  return readFile(image);
}

/** Only the two ends of the disk: the selector's logic reads the table, the firmware would read the rest. */
async function askSelector({image, verdict}: CheckedDisk): Promise<void> {
  const path = join(folder, 'disk');
  const {length} = image.base;
  const file = await open(path, 'w');
  await file.truncate(length);
  for (const offset of [0, length - MIB]) await file.write(image.read(offset, MIB), 0, MIB, offset);
  await file.close();
  const {stdout} = await exec([selector, path, String(SECTOR), ...verdict.unloadable]);
  assert.equal((JSON.parse(stdout) as {started: string | null}).started, verdict.letter, stdout);
}

/** By fsck.vfat: nothing worse than what our own check calls leftovers, and nothing at all without any. */
async function askFsck({image, verdict}: CheckedDisk): Promise<void> {
  const path = join(folder, 'fsck');
  await writeFile(path, image.read(MIB, ESP_SECTORS * SECTOR));
  const {exitCode, stdout} = await exec(['fsck.vfat', '-n', path], {okCodes: [0, 1]});
  if (verdict.leftovers.length === 0) return;
  assert.equal(exitCode, 1, stdout);
}

describe('power that fails during an update', {skip}, () => {
  const pages = new Map<string, string>();
  let releases: CrashReleases;

  before(async () => {
    const sources = [...SELECTOR_LOGIC, 'host/main.c'].map((name) => join(SOURCES, name));
    await exec(['gcc', ...WARNING_FLAGS, '-O1', ...sources, '-o', selector]);
    const make = async (version: string) => smallRelease(version, await makeUsr(version), 60_000);
    releases = {older: await make('0.9.0'), old: await make('1.0.0'), fresh: await make('2.0.0')};
  });

  it('leaves the old or the new system, for every operation on slots', async (context) => {
    const sampling = isWhole ? WHOLE : SAMPLED;
    for (const scenario of await crashScenarios(releases, makeEsp)) {
      const disks: CheckedDisk[] = [];
      const rows = await runMatrix(scenario, {
        sampling,
        seed: SEED,
        onDisk: (disk) => Promise.resolve(void disks.push(disk)),
      });
      for (let index = 0; index < SELECTOR_SAMPLES; index += 1) {
        const disk = disks[Math.floor((index * disks.length) / SELECTOR_SAMPLES)];
        assert.ok(disk !== undefined);
        await askSelector(disk);
        if (index % 3 === 0) await askFsck(disk);
      }
      requireOutcomes(rows);
      pages.set(scenario.name, formatMatrix(rows));
      context.diagnostic(`${scenario.name}\n${formatMatrix(rows)}`);
    }
  });

  it('is what docs/update-crash-matrix.md says', async () => {
    const page = await readFile(PAGE, 'utf8');
    const [head = ''] = page.split(/^## /m);
    const made = [...pages].map(([name, table]) => `## ${name}\n\n${table}\n`);
    if (mode === 'write') await writeFile(PAGE, `${head.trimEnd()}\n\n${made.join('\n')}`);
    assert.deepEqual(structureOf(await readFile(PAGE, 'utf8')), structureOf(made.join('\n')));
  });
});

/** Only the last step may start the new system, and it must show both. */
function requireOutcomes(rows: readonly MatrixRow[]): void {
  for (const row of rows) {
    const isLast = row === rows.at(-1);
    assert.ok(row.old > 0, `${row.step} leaves the old system somewhere`);
    assert.equal(row.new > 0, isLast, `${row.step} leaves the new system`);
  }
}

/** Headings, steps and which outcomes there are; the numbers depend on how many possibilities were tried. */
function structureOf(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => /^(## |\| `)/.test(line))
    .map((line) => {
      if (line.startsWith('## ')) return line;
      const [, step = '', place = '', , , old = '', fresh = ''] = line.split('|').map((cell) => cell.trim());
      return `${step} ${place} old ${Number(old) > 0} new ${Number(fresh) > 0}`;
    });
}
