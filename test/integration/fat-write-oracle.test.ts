/**
 * What we write on FAT32 is judged after every single change by fsck.vfat (package dosfstools), read by mtools, and
 * written over by mtools in turn.
 */
import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, readFile, rm, stat, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {sourceOf} from '../../formats/byte-source.ts';
import {FatError} from '../../formats/fat/boot-sector.ts';
import {fatMoment} from '../../formats/fat/entry-writing.ts';
import {surveyFat} from '../../formats/fat/survey.ts';
import {openFat} from '../../formats/fat/volume.ts';
import {type FatStep, planReclaim, planRemove, planReplace} from '../../formats/fat/write-plan.ts';
import {type Argv, exec} from '../../platform/exec.ts';
import {sourceOfTarget, withTarget} from '../../update-engine/slots/target.ts';
import {runFatSteps} from '../../update-engine/slots/write-uki.ts';
import {fc} from '../support/property.ts';
import {skipWithout} from '../support/tool.ts';

const FOLDER = 'EFI/caisson';
const NOW = Date.UTC(2026, 0, 2, 3, 4, 6);
const {signal} = new AbortController();
const skip =
  (await skipWithout(['mkfs.vfat', 'fsck.vfat'], 'dosfstools')) ||
  (await skipWithout(['mdir', 'mcopy', 'mmd', 'mtype'], 'mtools'));
const folder = await mkdtemp(join(tmpdir(), 'fat-write-'));
after(() => rm(folder, {recursive: true}));

const mtools = (image: string, [tool, ...args]: Argv): ReturnType<typeof exec> =>
  exec([tool, '-i', image, ...args], {env: {MTOOLS_SKIP_CHECK: '1', TZ: 'UTC', LC_ALL: 'C.UTF-8'}});

async function makeVolume(name: string, sectorBytes: number, clusterSectors: number): Promise<string> {
  const image = join(folder, name);
  await writeFile(image, '');
  await truncate(image, sectorBytes * clusterSectors * 68_000);
  await exec([
    ...(['mkfs.vfat', '-F', '32', '-S', String(sectorBytes)] as const),
    ...['-s', String(clusterSectors), '-n', 'EFI-SYSTEM', image],
  ]);
  for (const directory of ['EFI', 'EFI/BOOT', FOLDER]) await mtools(image, ['mmd', `::/${directory}`]);
  await put(image, 'EFI/BOOT/BOOTX64.EFI', randomBytes(100_000));
  await put(image, `${FOLDER}/usr-a.efi`, randomBytes(300_001));
  return image;
}

/** By mtools. */
async function put(image: string, path: string, content: Buffer): Promise<void> {
  const file = join(folder, 'content');
  await writeFile(file, content);
  await mtools(image, ['mcopy', '-o', file, `::/${path}`]);
}

async function change(
  image: string,
  expendable: string | undefined,
  plan: (survey: Awaited<ReturnType<typeof surveyFat>>) => FatStep[],
  content: Buffer = Buffer.alloc(0),
): Promise<void> {
  const {size} = await stat(image);
  await withTarget({path: image, region: {offset: 0, bytes: size}}, 'write', async (target) => {
    const survey = await surveyFat(sourceOfTarget(target), expendable);
    await runFatSteps(target, plan(survey), sourceOf(content), signal);
  });
}

async function judge(image: string, expected: ReadonlyMap<string, string>): Promise<void> {
  await exec(['fsck.vfat', '-n', image]);
  await withTarget({path: image}, 'read', async (target) => {
    const volume = await openFat(sourceOfTarget(target));
    assert.deepEqual(await volume.check(), []);
    const files = (await volume.walk()).filter(({kind}) => kind === 'file').map(({path}) => path);
    assert.deepEqual(files, [...expected.keys()].sort());
  });
  const {stdout} = await mtools(image, ['mdir', '-/', '-a', '-b', '::']);
  const listed = stdout.split('\n').filter((line) => line !== '' && !line.endsWith('/'));
  assert.deepEqual(listed.map((line) => line.replace(/^::\//, '')).sort(), [...expected.keys()].sort());
  for (const [path, sha256] of expected) {
    const copy = join(folder, 'copy');
    await mtools(image, ['mcopy', '-n', '-o', `::/${path}`, copy]);
    assert.equal(hash(await readFile(copy)), sha256, path);
  }
}

function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('FAT32 as we write it', {skip}, () => {
  for (const [sectorBytes, clusterSectors] of [
    [512, 1],
    [512, 8],
    [4096, 1],
  ] as const) {
    it(`passes fsck.vfat after every change, sectors of ${sectorBytes}, ${clusterSectors} to a cluster`, async () => {
      const image = await makeVolume(`volume-${sectorBytes}-${clusterSectors}`, sectorBytes, clusterSectors);
      const expected = new Map<string, string>();
      const path = (name: string): string => `${FOLDER}/${name}`;
      await withTarget({path: image}, 'read', async (target) => {
        const volume = await openFat(sourceOfTarget(target));
        for (const file of await volume.walk()) {
          if (file.kind === 'directory') continue;
          expected.set(file.path, hash(await volume.open(file).readAt(0, file.bytes)));
        }
      });
      const names = fc.constantFrom('usr-a.efi', 'usr-b.efi', 'NOTES.TXT', 'x');
      const kinds = fc.constantFrom('replace', 'replace', 'replace', 'mcopy', 'remove', 'interrupted');
      const changes = fc.sample(
        fc.record({name: names, kind: kinds, bytes: fc.nat({max: 600_000}), at: fc.nat()}),
        20,
      );
      for (const {name, kind, bytes, at} of changes) {
        const content = randomBytes(bytes);
        const file = path(name);
        const modified = fatMoment(NOW);
        if (kind === 'mcopy') await put(image, file, content);
        if (kind === 'replace')
          await change(image, file, (survey) => planReplace(survey, file, {bytes, modified}), content);
        if (kind === 'mcopy' || kind === 'replace') expected.set(file, hash(content));
        if (kind === 'remove' && expected.has(file)) {
          await change(image, file, (survey) => planRemove(survey, file));
          expected.delete(file);
        }
        if (kind === 'interrupted') {
          await change(
            image,
            file,
            (survey) => {
              const steps = planReplace(survey, file, {bytes, modified});
              const shown = steps.findIndex((step) => step.kind === 'write' && step.what === 'entry');
              return steps.slice(0, at % shown);
            },
            content,
          );
          await change(image, undefined, planReclaim);
        }
        await judge(image, expected);
      }
    });
  }

  it('gives a file the name and time that mtools reads', async () => {
    const image = await makeVolume('listing', 512, 1);
    const file = `${FOLDER}/usr-b.efi`;
    await change(
      image,
      file,
      (survey) => planReplace(survey, file, {bytes: 700, modified: fatMoment(NOW)}),
      Buffer.alloc(700),
    );
    const {stdout} = await mtools(image, ['mdir', `::/${FOLDER}`]);
    assert.match(stdout, /usr-a +efi +300001/);
    assert.match(stdout, /usr-b +efi +700 2026-01-02 +3:04/);
  });

  it('stops at what fsck.vfat calls damage', async () => {
    const image = await makeVolume('damaged', 512, 1);
    const bytes = await readFile(image);
    const volume = await openFat(sourceOf(bytes));
    const {firstCluster} = await volume.find(`${FOLDER}/usr-a.efi`);
    const {tableOffset, tableStride} = volume.geometry;
    for (const copy of [0, 1])
      bytes.writeUInt32LE(0x0fff_ffff, tableOffset + copy * tableStride + 4 * firstCluster);
    await writeFile(image, bytes);
    assert.equal((await exec(['fsck.vfat', '-n', image], {okCodes: [1]})).exitCode, 1);
    await assert.rejects(surveyFat(sourceOf(bytes), `${FOLDER}/usr-b.efi`), (error: unknown) => {
      assert.ok(error instanceof FatError && error.code === 'damaged');
      assert.match(error.hint ?? '', /fsck\.vfat/);
      return true;
    });
  });
});
