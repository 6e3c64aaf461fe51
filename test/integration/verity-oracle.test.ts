/**
 * veritysetup (package cryptsetup-bin) makes and checks the same trees on plain files; systemd's generator looks for
 * /usr under the GUID that we derive.
 */
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {access, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {
  decodeVeritySuperblock,
  encodeVeritySuperblock,
  guidFromRootHash,
  verityGuidFromRootHash,
  verityLayout,
  VerityTree,
} from '../../formats/verity.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const UUID = 'aabbccdd-0011-2233-4455-66778899aabb';
const GENERATOR = '/usr/lib/systemd/system-generators/systemd-veritysetup-generator';

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'verity-oracle-'));
  try {
    await action(folder);
  } finally {
    await rm(folder, {recursive: true});
  }
}

function hashArea(data: Uint8Array, salt: Uint8Array): {rootHash: string; area: Buffer} {
  const verity = new VerityTree({salt});
  verity.update(data);
  const {rootHash, tree} = verity.finish();
  const superblock = encodeVeritySuperblock({uuid: UUID, salt, dataBlocks: verity.dataBlocks});
  return {rootHash: rootHash.toString('hex'), area: Buffer.concat([superblock, tree])};
}

describe('veritysetup', {skip: await skipWithout(['veritysetup'], 'cryptsetup-bin')}, () => {
  for (const [blocks, saltBytes] of [
    [1, 32],
    [2, 0],
    [128, 32],
    [129, 256],
    [2000, 1],
    [16_385, 32],
  ] as const) {
    it(`formats ${blocks} blocks with ${saltBytes} bytes of salt to the same bytes`, () =>
      inFolder(async (folder) => {
        const data = randomBytes(blocks * 4096);
        const salt = randomBytes(saltBytes);
        await writeFile(join(folder, 'data'), data);
        const {stdout} = await exec([
          'veritysetup',
          'format',
          join(folder, 'data'),
          join(folder, 'hash'),
          `--uuid=${UUID}`,
          `--salt=${saltBytes === 0 ? '-' : salt.toString('hex')}`,
        ]);
        const theirs = await readFile(join(folder, 'hash'));
        const ours = hashArea(data, salt);
        assert.equal(/Root hash:\s*([0-9a-f]+)/.exec(stdout)?.[1], ours.rootHash);
        assert.ok(ours.area.subarray(0, theirs.length).equals(theirs));
        assert.ok(ours.area.subarray(theirs.length).every((byte) => byte === 0));
        assert.deepEqual(decodeVeritySuperblock(theirs), {
          uuid: UUID,
          salt: new Uint8Array(salt),
          dataBlocks: blocks,
        });
      }));
  }

  it('verifies and describes data and tree in one file, and notices one changed bit', () =>
    inFolder(async (folder) => {
      const data = randomBytes(300 * 4096);
      const salt = randomBytes(32);
      const {rootHash, area} = hashArea(data, salt);
      const image = join(folder, 'image');
      await writeFile(image, Buffer.concat([data, area]));
      const {superblockOffset, totalBytes} = verityLayout(300);
      assert.equal(data.length + area.length, totalBytes);
      const offset = `--hash-offset=${superblockOffset}`;
      await exec(['veritysetup', 'verify', image, image, rootHash, offset]);
      const {stdout} = await exec(['veritysetup', 'dump', image, offset]);
      assert.match(stdout, new RegExp(`UUID: +\\t?${UUID}`));
      assert.match(stdout, /Data blocks: +\t?300\n/);
      assert.match(stdout, new RegExp(`Salt: +\\t?${salt.toString('hex')}`));

      data[12_345] = (data[12_345] ?? 0) ^ 1;
      await writeFile(image, Buffer.concat([data, area]));
      await assert.rejects(exec(['veritysetup', 'verify', image, image, rootHash, offset]));
    }));
});

const hasGenerator = await access(GENERATOR).then(
  () => true,
  () => false,
);

describe('systemd-veritysetup-generator', {skip: hasGenerator ? false : 'needs systemd with verity'}, () => {
  it('looks for both partitions under the GUIDs that we derive', () =>
    inFolder(async (folder) => {
      const {rootHash} = hashArea(randomBytes(4096), new Uint8Array());
      await exec([GENERATOR, folder, folder, folder], {
        env: {SYSTEMD_PROC_CMDLINE: `usrhash=${rootHash}`, SYSTEMD_IN_INITRD: '1'},
      });
      const unit = await readFile(join(folder, 'systemd-veritysetup@usr.service'), 'utf8');
      assert.ok(unit.includes(`/dev/disk/by-partuuid/${guidFromRootHash(rootHash)}`), unit);
      assert.ok(unit.includes(`/dev/disk/by-partuuid/${verityGuidFromRootHash(rootHash)}`), unit);
    }));
});
