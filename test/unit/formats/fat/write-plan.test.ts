import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {describe, it} from 'node:test';
import {sourceOf} from '../../../../formats/byte-source.ts';
import {FatError} from '../../../../formats/fat/boot-sector.ts';
import {fatMoment} from '../../../../formats/fat/entry-writing.ts';
import {surveyFat} from '../../../../formats/fat/survey.ts';
import {openFat} from '../../../../formats/fat/volume.ts';
import {
  type FatStep,
  planReclaim,
  planRemove,
  planReplace,
  roomFor,
} from '../../../../formats/fat/write-plan.ts';
import {END, FatImage, entry, longEntry} from '../../../support/fat-image.ts';
import {fc} from '../../../support/property.ts';

const MODIFIED = fatMoment(Date.UTC(2026, 0, 2, 3, 4, 5));
const DIRECTORY = 0x10;
const NAMES = ['usr-a.efi', 'usr-b.efi', 'OTHER.BIN', 'plain'] as const;

/** /EFI/caisson with one file of a short name and one of a long name, and a file beside. */
function sample(): Buffer {
  const image = new FatImage().chain(3).chain(4).chain(10, 12, 11).chain(20).chain(30);
  const folder = (shortName: string, firstCluster: number, cases = 0): Buffer =>
    entry({shortName, attributes: DIRECTORY, firstCluster, cases});
  image.fill(2, Buffer.concat([folder('EFI', 3), entry({shortName: 'BESIDE', firstCluster: 30, bytes: 9})]));
  image.fill(3, folder('CAISSON', 4, 0x08));
  image.fill(
    4,
    Buffer.concat([
      entry({shortName: 'USR-A   EFI', cases: 0x18, firstCluster: 10, bytes: 1400}),
      ...longEntry('a long name.txt', {shortName: 'ALONGN~1TXT', firstCluster: 20, bytes: 100}),
    ]),
  );
  for (const cluster of [10, 11, 12, 20, 30]) image.fill(cluster, Buffer.alloc(512, cluster));
  return withInfo(image.bytes, 56);
}

/** The free count in the second reserved sector. */
function withInfo(bytes: Buffer, free: number): Buffer {
  bytes.writeUInt16LE(1, 48);
  bytes.writeUInt32LE(0x4161_5252, 512);
  bytes.writeUInt32LE(0x6141_7272, 512 + 484);
  bytes.writeUInt32LE(free, 512 + 488);
  bytes.writeUInt32LE(0xaa55_0000, 512 + 508);
  return bytes;
}

function run(volume: Buffer, steps: readonly FatStep[], content: Buffer = Buffer.alloc(0)): void {
  for (const step of steps) {
    if (step.kind === 'write') volume.set(step.bytes, step.offset);
    else if (step.kind === 'content')
      volume.set(content.subarray(step.from, step.from + step.length), step.offset);
  }
}

async function plan(volume: Buffer, path: string, bytes: number): Promise<FatStep[]> {
  return planReplace(await surveyFat(sourceOf(volume), path), path, {bytes, modified: MODIFIED});
}

async function replace(volume: Buffer, path: string, content: Buffer): Promise<void> {
  run(volume, await plan(volume, path, content.length), content);
}

async function remove(volume: Buffer, path: string): Promise<void> {
  run(volume, planRemove(await surveyFat(sourceOf(volume), path), path));
}

/** Path to content, in hex. */
async function contents(volume: Buffer, except?: string): Promise<Record<string, string>> {
  const fat = await openFat(sourceOf(volume));
  const found: Record<string, string> = {};
  for (const file of await fat.walk()) {
    if (file.kind === 'directory' || file.path === except) continue;
    const source = fat.open(file);
    found[file.path] = Buffer.from(await source.readAt(0, source.bytes)).toString('hex');
  }
  return found;
}

async function requireSound(volume: Buffer): Promise<void> {
  assert.deepEqual(await (await openFat(sourceOf(volume))).check(), []);
  let free = 0;
  for (let cluster = 2; cluster < 66; cluster += 1) {
    const value = volume.readUInt32LE(1024 + 4 * cluster);
    assert.equal(volume.readUInt32LE(1536 + 4 * cluster), value, `tables agree in ${cluster}`);
    if ((value & 0x0fff_ffff) === 0) free += 1;
  }
  assert.equal(volume.readUInt32LE(512 + 488), free, 'free count');
}

function contentOf(name: string, bytes: number): Buffer {
  const seed = createHash('sha256').update(`${name} ${bytes}`).digest();
  return Buffer.from(Array.from({length: bytes}, (_, at) => seed[at % 32] ?? 0));
}

async function rejects(code: string, action: () => Promise<unknown>, pattern = /./): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    assert.ok(error instanceof FatError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('planReplace', () => {
  it('creates a file whose entry is that of mtools', async () => {
    const volume = sample();
    await replace(volume, 'EFI/caisson/usr-b.efi', Buffer.alloc(600, 'x'));
    await requireSound(volume);
    const file = await (await openFat(sourceOf(volume))).find('EFI/caisson/usr-b.efi');
    assert.deepEqual([file.name, file.shortName, file.bytes], ['usr-b.efi', 'USR-B.EFI', 600]);
    const at = volume.indexOf('USR-B   EFI');
    const raw = volume.subarray(at, at + 32);
    assert.deepEqual([raw[11], raw[12]], [0x20, 0x18]);
    assert.equal(raw.readUInt16LE(22), (3 << 11) | (4 << 5) | 2);
    assert.equal(raw.readUInt16LE(24), (46 << 9) | (1 << 5) | 2);
  });

  it('replaces a file in the order content, tables, entry, old clusters', async () => {
    const volume = sample();
    const steps = await plan(volume, 'efi/CAISSON/usr-A.efi', 700);
    assert.deepEqual(
      steps.map((step) => (step.kind === 'write' ? step.what : step.kind)),
      [
        ...['free-count', 'content', 'flush'],
        ...['table', 'table', 'flush'],
        ...['entry', 'flush'],
        ...['table', 'table', 'free-count', 'flush'],
      ],
    );
    run(volume, steps, Buffer.alloc(700, 'n'));
    await requireSound(volume);
    assert.equal((await contents(volume))['EFI/caisson/usr-a.efi'], Buffer.alloc(700, 'n').toString('hex'));
  });

  it('keeps the long name of a file that has one, and the upper bits of its table entries', async () => {
    const volume = sample();
    for (const table of [1024, 1536]) volume.writeUInt32LE(0xa000_0000, table + 4 * 5);
    await replace(volume, 'EFI/caisson/a long name.txt', Buffer.alloc(10, 1));
    assert.deepEqual(Object.keys(await contents(volume)), [
      'BESIDE',
      'EFI/caisson/a long name.txt',
      'EFI/caisson/usr-a.efi',
    ]);
    assert.equal(volume.readUInt32LE(1024 + 4 * 5), 0xafff_ffff);
  });

  it('ends a directory behind the new entry, whatever lay there', async () => {
    const volume = sample();
    const last = volume.indexOf('ALONGN~1TXT');
    entry({shortName: 'GARBAGE', firstCluster: 9, bytes: 9999}).copy(volume, last + 64);
    await replace(volume, 'EFI/caisson/usr-b.efi', Buffer.alloc(1));
    await requireSound(volume);
  });

  it('uses what an interrupted try has left', async () => {
    const volume = sample();
    const path = 'EFI/caisson/usr-b.efi';
    const room = roomFor(await surveyFat(sourceOf(volume), path));
    const content = contentOf('b', room);
    const steps = await plan(volume, path, room);
    run(volume, steps.slice(0, steps.findLastIndex((step) => step.kind === 'content') + 3), content);
    assert.notDeepEqual(await (await openFat(sourceOf(volume))).check(), []);
    await replace(volume, path, content);
    await requireSound(volume);
    await rejects(
      'no-room',
      () => plan(volume, 'EFI/caisson/more.efi', 1),
      /needs 512 bytes .* only 0 are free/,
    );
    await rejects('no-room', () => plan(volume, path, 1), /needs 512 bytes/);
  });

  it('refuses names that need a long one, folders that are not there, and directories', async () => {
    const volume = sample();
    for (const name of ['nine-chars', 'Mixed.efi', 'a.b.c', 'x.four', '', 'ä.efi', 'a b.efi'])
      await rejects('bad-name', () => plan(volume, `EFI/caisson/${name}`, 1));
    await rejects('no-such-file', () => plan(volume, 'EFI/other/usr-b.efi', 1), /no folder \/EFI\/other/);
    await rejects('bad-name', () => plan(volume, 'EFI/caisson', 1), /is a directory/);
    await rejects('bad-name', () => plan(volume, 'EFI/caisson/alongn~1.txt', 1));
    await rejects('no-room', () => plan(volume, 'EFI/caisson/usr-b.efi', 2 ** 32), /no file of FAT32/);
  });

  it('does not make a directory longer', async () => {
    const volume = sample();
    for (let index = 0; index < 12; index += 1)
      await replace(volume, `EFI/caisson/f${index}`, Buffer.alloc(0));
    await rejects('no-room', () => plan(volume, 'EFI/caisson/f12', 0), /no room for another entry/);
    await remove(volume, 'EFI/caisson/f3');
    await replace(volume, 'EFI/caisson/f12', Buffer.alloc(3));
    await requireSound(volume);
  });
});

describe('planRemove and planReclaim', () => {
  it('remove a file with its long name', async () => {
    const volume = sample();
    await remove(volume, 'EFI/caisson/a long name.txt');
    await requireSound(volume);
    assert.deepEqual(Object.keys(await contents(volume)), ['BESIDE', 'EFI/caisson/usr-a.efi']);
    await rejects('no-such-file', () => remove(volume, 'EFI/caisson/a long name.txt'));
  });

  it('free what nothing reaches, and are nothing where all is well', async () => {
    const volume = sample();
    assert.deepEqual(planReclaim(await surveyFat(sourceOf(volume))), []);
    for (const [at, value] of [
      [1024 + 4 * 50, 51],
      [1536 + 4 * 52, END],
      [1024 + 4 * 53, 0x0fff_fff7],
      [1536 + 4 * 53, 0x0fff_fff7],
    ] as const)
      volume.writeUInt32LE(value, at);
    run(volume, planReclaim(await surveyFat(sourceOf(volume))));
    await requireSound(volume);
    assert.equal(volume.readUInt32LE(1024 + 4 * 53), 0x0fff_fff7, 'a bad cluster stays one');
    assert.deepEqual(planReclaim(await surveyFat(sourceOf(volume))), []);
  });
});

describe('surveyFat', () => {
  const both = (cluster: number, value: number) => (volume: Buffer) => {
    for (const table of [1024, 1536]) volume.writeUInt32LE(value, table + 4 * cluster);
  };
  const damages: Record<string, [RegExp, (volume: Buffer) => void]> = {
    'a chain that ends too early': [/1 clusters, but 1400 bytes need 3/, both(10, END)],
    'a circle': [/run in a circle/, both(11, 10)],
    'a chain that leaves the volume': [/cluster 9999, which no file can have/, both(11, 9999)],
    'a cluster of two files': [/shares cluster 30/, both(20, 30)],
    'tables that differ in a file': [
      /tables differ in cluster 12/,
      (volume) => volume.writeUInt32LE(0, 1536 + 48),
    ],
    'two entries of one name': [
      /two entries for \/EFI\/caisson\/usr-a.efi/,
      (volume) => {
        const at = volume.indexOf('USR-A   EFI');
        volume.copy(volume, volume.indexOf('ALONGN~1TXT') + 32, at, at + 32);
      },
    ],
  };
  for (const [what, [pattern, damage]] of Object.entries(damages)) {
    it(`refuses ${what}`, async () => {
      const volume = sample();
      damage(volume);
      await rejects('damaged', () => surveyFat(sourceOf(volume), 'EFI/caisson/usr-b.efi'), pattern);
    });
  }

  it('takes a torn file for a leftover when it is the one to be replaced', async () => {
    for (const [firstCluster, bytes] of [
      [0, 700],
      [30, 9],
      [2, 512],
      [9999, 1],
      [10, 9999],
    ] as const) {
      const volume = sample();
      const at = volume.indexOf('USR-A   EFI');
      volume.writeUInt16LE(firstCluster, at + 26);
      volume.writeUInt32LE(bytes, at + 28);
      const others = await contents(volume, 'EFI/caisson/usr-a.efi').catch(() => undefined);
      await replace(volume, 'EFI/caisson/usr-a.efi', Buffer.alloc(1500, 7));
      await requireSound(volume);
      if (others !== undefined) assert.deepEqual(await contents(volume, 'EFI/caisson/usr-a.efi'), others);
    }
  });
});

type Action = {kind: 'replace'; name: string; bytes: number} | {kind: 'remove'; name: string};
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant('replace' as const),
    name: fc.constantFrom(...NAMES),
    bytes: fc.nat({max: 5000}),
  }),
  fc.record({kind: fc.constant('remove' as const), name: fc.constantFrom(...NAMES)}),
);

describe('a volume after any sequence of changes', () => {
  it('is sound, and holds what was put there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, {maxLength: 12}), async (actions) => {
        const volume = sample();
        const model = await contents(volume);
        for (const {kind, name, ...rest} of actions) {
          const path = `EFI/caisson/${name}`;
          if (kind === 'remove' && model[path] === undefined) continue;
          if (kind === 'remove') {
            await remove(volume, path);
            delete model[path];
          } else {
            const content = contentOf(name, (rest as {bytes: number}).bytes);
            const isTooLarge =
              Math.ceil(content.length / 512) * 512 > roomFor(await surveyFat(sourceOf(volume), path));
            if (isTooLarge) await rejects('no-room', () => replace(volume, path, content));
            else {
              await replace(volume, path, content);
              model[path] = content.toString('hex');
            }
          }
          await requireSound(volume);
          assert.deepEqual(await contents(volume), Object.fromEntries(Object.entries(model).sort()));
        }
      }),
    );
  });
});

describe('power that fails', () => {
  /** For each sector of a step, the bytes of the new one that arrive: none, all, or any of them. */
  const mixture = fc.oneof(
    fc.constant('none' as const),
    fc.constant('all' as const),
    fc.infiniteStream(fc.boolean()),
  );

  for (const path of ['EFI/caisson/usr-a.efi', 'EFI/caisson/usr-b.efi']) {
    it(`harms no other file, whichever bytes of whichever sectors arrive: ${path}`, async () => {
      const clean = sample();
      const others = await contents(clean, path);
      const content = contentOf(path, 2000);
      const steps = await plan(clean, path, content.length);
      const flushes = steps.flatMap((step, at) => (step.kind === 'flush' ? [at] : []));
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...flushes), fc.infiniteStream(mixture), async (until, mixtures) => {
          const volume = sample();
          const from = steps.findLastIndex(({kind}, at) => kind === 'flush' && at < until) + 1;
          run(volume, steps.slice(0, from), content);
          for (const step of steps.slice(from, until)) tear(volume, step, content, mixtures);
          const after = await contents(volume, path).catch((error: unknown) => {
            // Nothing but the torn file itself may be unreadable.
            assert.match(String(error), new RegExp(path));
            return undefined;
          });
          if (after !== undefined) assert.deepEqual(after, others);
          await replace(volume, path, content);
          await requireSound(volume);
          assert.deepEqual(await contents(volume, path), others);
          assert.equal((await contents(volume))[path], content.toString('hex'));
        }),
      );
    });
  }

  function tear(
    volume: Buffer,
    step: FatStep,
    content: Buffer,
    mixtures: Iterator<'none' | 'all' | Iterator<boolean>>,
  ): void {
    if (step.kind === 'flush') return;
    const bytes = step.kind === 'write' ? step.bytes : content.subarray(step.from, step.from + step.length);
    for (let at = 0; at < bytes.length; at += 512) {
      const which = mixtures.next().value as 'none' | 'all' | Iterator<boolean>;
      for (let index = at; index < Math.min(at + 512, bytes.length); index += 1) {
        const arrives = which === 'all' || (which !== 'none' && which.next().value === true);
        if (arrives) volume[step.offset + index] = bytes[index] ?? 0;
      }
    }
  }

  it('shows a new file whole or not at all', async () => {
    const path = 'EFI/caisson/usr-b.efi';
    const clean = sample();
    const content = contentOf(path, 900);
    const steps = await plan(clean, path, content.length);
    const volume = sample();
    for (const step of steps) {
      run(volume, [step], content);
      const found = (await contents(volume))[path];
      if (found !== undefined) assert.equal(found, content.toString('hex'));
    }
    assert.equal((await contents(volume))[path], content.toString('hex'));
  });
});
