import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ByteSourceError, sourceOf} from '../../../../formats/byte-source.ts';
import {FatError} from '../../../../formats/fat/boot-sector.ts';
import {openFat} from '../../../../formats/fat/volume.ts';
import {END, FatImage, entry, longEntry} from '../../../support/fat-image.ts';
import {damaged, fc} from '../../../support/property.ts';

const DIRECTORY = 0x10;

/** /EFI/hello world.txt of 700 bytes in clusters 9 and 5, and an empty file. */
function sample(): FatImage {
  const image = new FatImage().chain(3).chain(9, 5);
  const label = entry({shortName: 'MY VOLUME', attributes: 0x08});
  const folder = entry({shortName: 'EFI', attributes: DIRECTORY, firstCluster: 3});
  image.fill(2, Buffer.concat([label, folder, entry({shortName: 'EMPTY   TXT', cases: 0x18})]));
  const dots = ['.', '..'].map((shortName) => entry({shortName, attributes: DIRECTORY, firstCluster: 3}));
  const file = longEntry('hello world.txt', {shortName: 'HELLOW~1TXT', firstCluster: 9, bytes: 700});
  image.fill(3, Buffer.concat([...dots, ...file]));
  return image.fill(9, Buffer.alloc(512, 'a')).fill(5, Buffer.alloc(512, 'b'));
}

async function rejects(code: string, action: () => Promise<unknown>, pattern = /./): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    assert.ok(error instanceof FatError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('openFat', () => {
  it('lists, finds and reads', async () => {
    const volume = await openFat(sample().source);
    assert.equal(volume.label, 'MY VOLUME');
    assert.deepEqual(
      (await volume.walk()).map(({path, kind, bytes}) => [path, kind, bytes]),
      [
        ['EFI', 'directory', 0],
        ['EFI/hello world.txt', 'file', 700],
        ['empty.txt', 'file', 0],
      ],
    );
    const file = volume.open(await volume.find('efi/HELLO World.TXT'));
    assert.equal(file.bytes, 700);
    assert.equal(Buffer.from(await file.readAt(0, 9999)).toString(), 'a'.repeat(512) + 'b'.repeat(188));
    assert.equal(Buffer.from(await file.readAt(510, 4)).toString(), 'aabb');
    assert.equal((await file.readAt(700, 1)).length, 0);
    assert.equal(volume.open(await volume.find('EMPTY.TXT')).bytes, 0);
    assert.deepEqual(await volume.check(), []);
  });

  it('names what is not there', async () => {
    const volume = await openFat(sample().source);
    await rejects('no-such-file', () => volume.find('EFI/BOOT/BOOTX64.EFI'), /\/EFI\/BOOT\/BOOTX64\.EFI/);
    await rejects('no-such-file', () => volume.find('empty.txt/x'));
    await rejects('no-such-file', () => volume.find('hello world.txt'));
  });

  it('refuses what is no FAT32', async () => {
    await rejects('not-fat32', () => openFat(sourceOf(new Uint8Array(512))), /no signature/);
    await rejects('not-fat32', () => openFat(sourceOf(new Uint8Array(100))));
    const fields: [string, number, number][] = [
      ['not-fat32', 17, 512],
      ['not-fat32', 22, 9],
      ['bad-geometry', 11, 511],
      ['bad-geometry', 13, 3],
      ['bad-geometry', 14, 0],
      ['unsupported', 40, 0x80],
      ['unsupported', 42, 1],
      ['bad-geometry', 32, 3],
      ['truncated', 32, 100],
      ['bad-geometry', 32, 1000],
    ];
    for (const [code, at, value] of fields) {
      const image = sample();
      // One byte at 13: the next one belongs to another field.
      if (at === 13) image.bytes.writeUInt8(value, at);
      else image.bytes.writeUInt16LE(value, at);
      await rejects(code, () => openFat(image.source));
    }
  });

  it('refuses clusters that no file can have, circles, and chains that end too early', async () => {
    const read = async (image: FatImage): Promise<unknown> => {
      const volume = await openFat(image.source);
      return volume.open(await volume.find('EFI/hello world.txt'));
    };
    await rejects('bad-chain', () => read(sample().link(9, 0)), /goes on with cluster 0/);
    await rejects('bad-chain', () => read(sample().link(9, 66)), /cluster 66/);
    await rejects('bad-chain', () => read(sample().link(9, 0x0fff_fff7)), /goes on/);
    await rejects('bad-chain', () => read(sample().link(5, 9)), /circle/);
    await rejects('bad-chain', () => read(sample().link(9, END)), /700 bytes, but only 1 clusters/);
    // The upper four bits of an entry mean nothing.
    await read(sample().link(9, 0xf000_0005));
  });

  it('refuses directories within themselves', async () => {
    const image = sample();
    image.fill(3, entry({shortName: 'LOOP', attributes: DIRECTORY, firstCluster: 3}));
    const volume = await openFat(image.source);
    await rejects('bad-directory', () => volume.walk(), /nest deeper/);
  });

  it('finds what a power cut leaves', async () => {
    const problemsOf = async (image: FatImage): Promise<string[]> => (await openFat(image.source)).check();
    const unclean = sample();
    unclean.bytes.writeUInt8(1, 65);
    assert.deepEqual(await problemsOf(unclean), ['the volume was not unmounted cleanly']);
    assert.deepEqual(await problemsOf(sample().link(1, 0x07ff_ffff)), [
      'the volume was not unmounted cleanly',
    ]);
    assert.deepEqual(await problemsOf(sample().link(40, END, [1])), [
      'the copies of the allocation table differ',
    ]);
    assert.deepEqual(await problemsOf(sample().chain(40, 41)), [
      '2 clusters are in use but belong to no file',
    ]);
    assert.deepEqual(await problemsOf(sample().chain(9, 5, 40)), [
      '/EFI/hello world.txt has 1 clusters more than its length wants',
    ]);
    const shared = sample();
    const twins = ['ONE', 'TWO'].map((shortName) => entry({shortName, firstCluster: 40, bytes: 1}));
    shared.chain(40).fill(2, Buffer.concat(twins));
    assert.deepEqual(await problemsOf(shared), [
      '/TWO and /ONE share cluster 40',
      '3 clusters are in use but belong to no file',
    ]);
  });

  it('throws nothing but its own errors, whatever the bytes', async () => {
    const bytes = Uint8Array.from(sample().bytes.subarray(0, 12 * 512));
    await fc.assert(
      fc.asyncProperty(damaged(bytes), async (broken) => {
        const padded = new Uint8Array(sample().bytes.length);
        padded.set(broken.subarray(0, padded.length));
        try {
          const volume = await openFat(sourceOf(padded));
          await volume.check();
          for (const file of await volume.walk())
            if (file.kind === 'file') await volume.open(file).readAt(0, 4096);
        } catch (error) {
          if (!(error instanceof FatError) && !(error instanceof ByteSourceError)) throw error;
        }
      }),
      {numRuns: 500},
    );
  });
});
