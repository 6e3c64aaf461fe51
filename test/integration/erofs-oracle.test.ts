/** mkfs.erofs (package erofs-utils) writes the superblocks that we read. */
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {mkdir, mkdtemp, open, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {EROFS_OFFSET, EROFS_SUPERBLOCK_BYTES, decodeErofsSuperblock} from '../../formats/erofs.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const UUID = '7412dc59-5cc3-65a5-a849-3d492a99c99d';

describe('mkfs.erofs', {skip: await skipWithout(['mkfs.erofs', 'dump.erofs'], 'erofs-utils')}, () => {
  for (const bytes of [10, 5_000_000]) {
    it(`says the same of a file of ${bytes} bytes`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'erofs-oracle-'));
      try {
        const [tree, image] = [join(folder, 'tree'), join(folder, 'image')];
        await mkdir(tree);
        await writeFile(join(tree, 'file'), randomBytes(bytes));
        await exec(['mkfs.erofs', '--quiet', '-T1795054374', '-U', UUID, image, tree]);
        const file = await open(image);
        const {buffer} = await file.read(Buffer.alloc(EROFS_SUPERBLOCK_BYTES), {position: EROFS_OFFSET});
        await file.close();
        const found = decodeErofsSuperblock(buffer);
        const {stdout} = await exec(['dump.erofs', '-s', image]);
        const field = (name: string): string => new RegExp(`${name}: +(.+)`).exec(stdout)?.[1] ?? '';
        assert.equal(found.bytes, Number(field('Filesystem blocks')) * 4096);
        assert.equal(found.bytes, (await stat(image)).size);
        assert.equal(found.inodes, Number(field('Filesystem inode count')));
        assert.equal(found.uuid, field('Filesystem UUID'));
        assert.equal(found.madeAt, 1_795_054_374);
      } finally {
        await rm(folder, {recursive: true});
      }
    });
  }
});
