/** Independent tools read the boot images of a release: two archives in one file, a /usr that its hash vouches for. */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, stat} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {fileOfRole, parseRelease, type Release} from '../../formats/release.ts';
import {exec} from '../../platform/exec.ts';
import {releaseFolder} from '../support/release.ts';

const folder = releaseFolder();
let release: Release;
let work: string;

before(async () => {
  const path = join(folder, 'release.json');
  release = parseRelease(await readFile(path, 'utf8'), path);
  work = await mkdtemp(join(tmpdir(), 'live-oracle-'));
});
after(() => rm(work, {recursive: true}));

const pathOf = (role: string): string => join(folder, fileOfRole(release, role));

describe('the live initrd', () => {
  it('begins with the initrd of the release, byte for byte, and goes on with an archive of its own', async () => {
    const {size} = await stat(pathOf('initrd'));
    await exec(['cmp', `--bytes=${size}`, pathOf('initrd'), pathOf('live-initrd')]);
    const from = Math.ceil(size / 512);
    const pipe = 'dd if="$1" bs=512 skip="$2" status=none | cpio --extract --make-directories --quiet';
    const {stderr} = await exec(['sh', '-c', pipe, 'sh', pathOf('live-initrd'), String(from)], {cwd: work});
    assert.equal(stderr, '');
    const facts = await readFile(join(work, 'etc/caisson/live.env'), 'utf8');
    const [, rootHash = '', offset = ''] =
      /^USR_ROOT_HASH=([0-9a-f]{64})\nUSR_HASH_OFFSET=(\d+)\n$/.exec(facts) ?? [];
    const image = join(work, 'live/usr.img');
    await exec(['veritysetup', 'verify', image, image, rootHash, `--hash-offset=${offset}`]);
    assert.equal((await readFile(image)).subarray(0, 4).toString(), 'hsqs');
    await exec(['test', '-f', join(work, 'usr/lib/systemd/system/caisson-live-usr.service')]);
  });

  it('is what the UKI holds, with the same kernel', async () => {
    for (const [section, role] of [
      ['.initrd', 'live-initrd'],
      ['.linux', 'kernel'],
    ] as const) {
      const out = join(work, section);
      await exec(['objcopy', '-O', 'binary', `--only-section=${section}`, pathOf('live-uki'), out]);
      const {size} = await stat(pathOf(role));
      await exec(['cmp', `--bytes=${size}`, out, pathOf(role)]);
    }
  });
});
