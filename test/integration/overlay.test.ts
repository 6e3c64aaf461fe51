/** Our own overlays, laid over trees by us and by cp: the same files, with the modes that an image wants. */
import assert from 'node:assert/strict';
import {lstat, mkdir, mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {applyOverlay, overlayInputs} from '../../build/tree/overlay.ts';
import {readUserLines} from '../../build/tree/users.ts';
import {fixedNumbers, parseSysusers} from '../../formats/sysusers.ts';
import {exec} from '../../platform/exec.ts';
import {fingerprintTree, walkTree} from '../../platform/files.ts';
import {ROOT_DIR} from '../support/sources.ts';

const folder = await mkdtemp(join(tmpdir(), 'overlay-integration-'));
after(() => rm(folder, {recursive: true}));
const own = {label: 'overlays/os', directory: join(ROOT_DIR, 'overlays/os')};

async function makeTree(name: string): Promise<string> {
  const tree = join(folder, name);
  await mkdir(join(tree, 'usr'), {recursive: true});
  await mkdir(join(tree, 'etc'));
  return tree;
}

describe('overlays/os', () => {
  it('comes out as cp copies it, however often it is applied', async () => {
    const [ours, theirs] = [await makeTree('ours'), await makeTree('theirs')];
    await applyOverlay(own, ours);
    await exec(['cp', '--recursive', '--no-dereference', `${own.directory}/.`, theirs]);
    const expected = await fingerprintTree(theirs);
    assert.ok(Object.keys(expected).length > 10);
    assert.deepEqual(await fingerprintTree(ours), expected);
    await applyOverlay(own, ours);
    assert.deepEqual(await fingerprintTree(ours), expected);
  });

  it('has modes that do not depend on how the checkout came about', async () => {
    const umask = process.umask(0o077);
    try {
      const tree = await makeTree('umask');
      await rm(join(tree, 'usr'), {recursive: true});
      await rm(join(tree, 'etc'), {recursive: true});
      await applyOverlay(own, tree);
      for (const {path, kind} of await walkTree(tree)) {
        if (kind === 'symlink') continue;
        const mode = (await lstat(join(tree, path))).mode & 0o7777;
        const allowed = kind === 'directory' ? [0o755] : [0o755, 0o644];
        assert.ok(allowed.includes(mode), `${path} has mode ${mode.toString(8)}`);
      }
    } finally {
      process.umask(umask);
    }
  });

  it('is an input of the build, file by file', async () => {
    const files = (await walkTree(own.directory)).filter(({kind}) => kind !== 'directory');
    assert.deepEqual(
      Object.keys(await overlayInputs([own])),
      files.map(({path}) => `overlays/os/${path}`),
    );
  });

  it('gives every account a number of its own', async () => {
    // Throws when two names share one.
    const {users, groups} = fixedNumbers(parseSysusers(await readUserLines([own])));
    assert.equal(users.get(1000), 'core');
    assert.equal(groups.get(1000), 'core');
  });

  it('has no file that an editor or a merge left behind', async () => {
    for (const overlay of await readdir(join(ROOT_DIR, 'overlays'))) {
      const paths = (await walkTree(join(ROOT_DIR, 'overlays', overlay))).map(({path}) => path);
      assert.deepEqual(
        paths.filter((path) => /~$|\.(orig|rej|swp|bak|dpkg-\w+)$|(^|\/)(\.DS_Store|\.gitkeep)$/.test(path)),
        [],
      );
    }
  });
});
