/** `caisson inspect` and `caisson clean` as a person runs them: output, exit codes, and what is left on the disk. */
import assert from 'node:assert/strict';
import {access, mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {claimCache} from '../../build/cache.ts';
import {formatLock} from '../../build/lock.ts';
import {exec, start} from '../../platform/exec.ts';
import {sampleLock} from '../support/lock.ts';
import {patch, writeRelease, writeSmallRelease} from '../support/small-disk.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {skipWithout} from '../support/tool.ts';

const folder = await mkdtemp(join(tmpdir(), 'inspect-clean-'));
after(() => rm(folder, {recursive: true}));
const out = join(folder, 'out');
const directory = join(out, '1.2.3');
const release = await writeSmallRelease(directory);
const file = {role: 'lock', bytes: formatLock(sampleLock()).length, sha256: 'c'.repeat(64)};
await writeFile(join(directory, 'packages.lock.json'), formatLock(sampleLock()));
await writeRelease(directory, {...release, files: {...release.files, 'packages.lock.json': file}});

async function caisson(...args: string[]): Promise<{code: number; stdout: string; stderr: string}> {
  const {exitCode, stdout, stderr} = await exec([join(ROOT_DIR, 'caisson'), ...args], {
    okCodes: [0, 1, 2],
    env: {FORCE_COLOR: undefined},
  });
  return {code: exitCode, stdout, stderr};
}

describe('caisson inspect', () => {
  it('shows the newest release, or the one that is named by version or directory', async () => {
    for (const args of [[], ['1.2.3'], [directory]]) {
      const {code, stdout} = await caisson('inspect', ...args, '--out', out);
      assert.match(stdout, /^Caisson Linux 1\.2\.3 \(20260102-abc\), channel stable\n/);
      assert.match(stdout, /Next start +slot A/);
      assert.equal(code, 0);
    }
  });

  it('prints JSON for machines', async () => {
    const {stdout} = await caisson('inspect', '--json', '--out', out);
    const value = JSON.parse(stdout) as {
      release: {version: string};
      disk: {boot: {letter: string}};
      problems: [];
    };
    assert.deepEqual([value.release.version, value.disk.boot.letter, value.problems], ['1.2.3', 'A', []]);
  });

  it('lists packages', async () => {
    const {stdout} = await caisson('inspect', '--packages', '--out', out);
    assert.deepEqual(stdout.trim().split('\n'), [
      'bash 5.2-1 amd64',
      'systemd 5.2-1 amd64',
      'ignition 5.2-1 amd64',
      'linux-image-6.12-amd64 5.2-1 amd64',
    ]);
  });

  it('fails when the content is not what it should be, and says what', async () => {
    const {code, stdout} = await caisson('inspect', '--verify', '--out', out);
    assert.equal(code, 1);
    assert.match(stdout, /\nProblems\n {2}packages\.lock\.json has SHA-256 .*, release\.json says c{64}\n$/);
    const disk = join(folder, 'disk.raw');
    await exec(['cp', join(directory, 'disk.raw'), disk]);
    await patch(disk, 512, Buffer.alloc(512));
    const damaged = await caisson('inspect', disk);
    assert.equal(damaged.code, 1);
    assert.match(damaged.stdout, /Problems\n {2}the primary partition table is damaged: no GPT header/);
  });

  it('refuses what it cannot read', async () => {
    const cases: [string[], number, RegExp][] = [
      [
        ['inspect', 'nothing-of-the-kind', '--out', out],
        1,
        /there is no release nothing-of-the-kind\nhint: /,
      ],
      [['inspect', '--out', folder], 1, /there is no release in .*\nhint: .*caisson build/],
      [['inspect', join(directory, 'uki.efi')], 1, /uki\.efi: no valid partition table/],
      [['inspect', join(directory, 'disk.raw'), '--packages'], 1, /with the release, not on a disk\nhint: /],
      [['inspect', '--verfy'], 2, /Unknown argument: verfy\nhint: caisson --help/],
      [['frobnicate'], 2, /Unknown argument: frobnicate/],
      [[], 2, /Name a command/],
    ];
    for (const [args, expected, pattern] of cases) {
      const {code, stdout, stderr} = await caisson(...args);
      assert.equal(code, expected, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, pattern);
      assert.doesNotMatch(stderr, /\n +at /);
    }
  });
});

describe('caisson clean', {skip: await skipWithout(['unshare', 'flock', 'setpriv'], 'util-linux')}, () => {
  const isThere = (path: string): Promise<boolean> =>
    access(join(folder, path)).then(
      () => true,
      () => false,
    );

  async function makeCache(name: string): Promise<string> {
    const cache = join(folder, name);
    await claimCache(cache);
    await mkdir(join(cache, 'steps/kernel/abc'), {recursive: true});
    await mkdir(join(cache, 'packages'));
    await writeFile(join(cache, 'packages/a.deb'), 'x'.repeat(10_000));
    return cache;
  }

  it('says what would go, and then removes it', async () => {
    const cache = await makeCache('cache');
    const dry = await caisson(
      'clean',
      '--cache',
      cache,
      '--out',
      join(folder, 'no-out'),
      '--packages',
      '--dry-run',
    );
    assert.match(dry.stdout, /cache\/steps\/kernel \(results of a build step\)\n/);
    assert.match(dry.stdout, /cache\/packages \(packages\)\n.* would be freed\n$/);
    assert.equal(await isThere('cache/packages/a.deb'), true);
    const {stdout, code} = await caisson(
      'clean',
      '--cache',
      cache,
      '--out',
      join(folder, 'no-out'),
      '--packages',
    );
    assert.equal(code, 0);
    assert.match(stdout, / freed\n$/);
    assert.deepEqual((await readdir(cache)).sort(), ['CACHEDIR.TAG', 'lock', 'steps']);
    const again = await caisson('clean', '--cache', cache, '--out', join(folder, 'no-out'), '--json');
    assert.deepEqual(JSON.parse(again.stdout), {removed: true, bytes: 0, items: []});
  });

  it('leaves a cache alone that a build is using', async () => {
    const cache = await makeCache('busy');
    const build = start(['flock', '--no-fork', join(cache, 'lock'), 'sleep', '60']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const {code, stderr} = await caisson('clean', '--cache', cache, '--out', join(folder, 'no-out'));
    build.kill();
    assert.equal(code, 1);
    assert.match(stderr, /a build is using .*busy\nhint: /);
    assert.equal(await isThere('busy/steps/kernel'), true);
  });

  it('leaves directories of others alone', async () => {
    const {code, stderr} = await caisson('clean', '--cache', ROOT_DIR, '--all');
    assert.equal(code, 1);
    assert.match(stderr, /is not a cache of Caisson/);
  });
});
