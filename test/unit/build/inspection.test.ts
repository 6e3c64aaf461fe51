import assert from 'node:assert/strict';
import {appendFile, cp, mkdtemp, readFile, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {InspectionError, inspectRelease, readPackages} from '../../../build/inspection.ts';
import {formatLock} from '../../../build/lock.ts';
import {releaseText} from '../../../cli/inspect-text.ts';
import type {Release} from '../../../formats/release.ts';
import {sampleLock} from '../../support/lock.ts';
import {patch, writeRelease, writeSmallRelease} from '../../support/small-disk.ts';

const folder = await mkdtemp(join(tmpdir(), 'inspection-'));
after(() => rm(folder, {recursive: true}));
const whole = join(folder, 'whole');
const release = await writeSmallRelease(whole);
const verify = {signal: new AbortController().signal, onBytes: () => undefined};

/** The problems of a copy of the release that something was done to. */
async function problemsOf(
  change: (directory: string) => Promise<unknown>,
  options: {release?: Release; verify?: typeof verify} = {},
): Promise<string> {
  const directory = await mkdtemp(join(folder, 'copy-'));
  await cp(whole, directory, {recursive: true});
  await change(directory);
  const found = await inspectRelease({directory, release: options.release ?? release}, options.verify);
  return found.problems.join('\n');
}

describe('inspectRelease', () => {
  it('finds nothing wrong with a whole release', async () => {
    const found = await inspectRelease({directory: whole, release}, verify);
    assert.deepEqual(found.problems, []);
    assert.deepEqual(found.unlisted, []);
    assert.equal(found.isVerified, true);
    const text = releaseText(found).join('\n');
    assert.match(text, /^Caisson Linux 1\.2\.3 \(20260102-abc\), channel stable\n/);
    assert.match(text, /Next start +slot A: priority 1 and known to be good/);
    assert.match(text, /every block verified/);
    assert.doesNotMatch(text, /Problems/);
  });

  it('notices files that are gone, cut off, changed or added', async () => {
    const gone = await problemsOf((directory) => rm(join(directory, 'usr.img')));
    assert.match(gone, /^usr\.img is missing\n\/usr is damaged: the release has no \/usr image$/);
    const cut = await problemsOf((directory) => truncate(join(directory, 'usr.img'), 4096));
    assert.match(cut, /^usr\.img has 4096 bytes, release\.json says \d+\n/);
    const flip = (directory: string): Promise<void> =>
      patch(join(directory, 'usr.img'), 50 * 4096, Buffer.from('x'));
    assert.equal(await problemsOf(flip), '');
    const found = await problemsOf(flip, {verify});
    assert.match(found, /^usr\.img has SHA-256 [0-9a-f]{64}, release\.json says [0-9a-f]{64}\n/);
    assert.match(found, /\/usr is damaged: block 50 of \/usr/);
    await writeFile(join(whole, 'notes.txt'), 'x');
    const {unlisted} = await inspectRelease({directory: whole, release});
    await rm(join(whole, 'notes.txt'));
    assert.deepEqual(unlisted, ['notes.txt']);
  });

  it('notices sums that are gone, broken or of another release', async () => {
    const sums = (directory: string): string => join(directory, 'SHA256SUMS');
    assert.equal(await problemsOf((directory) => rm(sums(directory))), 'SHA256SUMS is missing');
    assert.match(
      await problemsOf((directory) => writeFile(sums(directory), 'x\n')),
      /^SHA256SUMS: line 1 is "x"$/,
    );
    assert.equal(
      await problemsOf((directory) => appendFile(sums(directory), `${'0'.repeat(64)}  more\n`)),
      'SHA256SUMS names more, which release.json does not',
    );
    const edited = await problemsOf(async (directory) => {
      const text = await readFile(sums(directory), 'utf8');
      await writeFile(
        sums(directory),
        text.replace(/^\w{64} {2}usr\.img\n/m, '').replace(/^\w{64}/, 'f'.repeat(64)),
      );
    });
    assert.equal(
      edited,
      'SHA256SUMS has another SHA-256 for disk.raw than release.json\nSHA256SUMS does not name usr.img',
    );
  });

  it('notices parts of different builds', async () => {
    const other: Release = {...release, version: '9.9.9', buildId: 'other', sourceDate: 1};
    const found = await problemsOf((directory) => writeRelease(directory, other), {release: other});
    assert.equal(
      found,
      [
        'the version of the UKI is 1.2.3, release.json says 9.9.9',
        'the build of the UKI is 20260102-abc, release.json says other',
        'the time of /usr is 1795054374, release.json says 1',
      ].join('\n'),
    );
  });

  it('carries on what is wrong with the disk image, and says what is over budget', async () => {
    const disk = (directory: string): string => join(directory, 'disk.raw');
    assert.match(
      await problemsOf((directory) => patch(disk(directory), 512, Buffer.alloc(512))),
      /^disk\.raw: the primary partition table is damaged/,
    );
    assert.match(
      await problemsOf((directory) => writeFile(disk(directory), '')),
      /disk\.raw has 0 bytes.*\n.*disk\.raw: no valid partition table/,
    );
    const tight: Release = {...release, sizes: {usr: {bytes: 2000, budget: 1000}}};
    const found = await problemsOf((directory) => writeRelease(directory, tight), {release: tight});
    assert.equal(found, 'over budget: usr: 2.00 kB of 1.00 kB (1.00 kB too much)');
  });
});

describe('readPackages', () => {
  it('lists what the lock has', async () => {
    await writeFile(join(whole, 'packages.lock.json'), formatLock(sampleLock()));
    const file = {role: 'lock', bytes: 1, sha256: 'a'.repeat(64)};
    const locked = {...release, files: {...release.files, 'packages.lock.json': file}};
    const packages = await readPackages(whole, locked);
    assert.deepEqual(packages[0], {set: 'os', name: 'bash', version: '5.2-1', architecture: 'amd64'});
    assert.deepEqual(
      packages.map(({set}) => set),
      ['os', 'os', 'unpack', 'kernel', 'tools'],
    );
    await assert.rejects(readPackages(whole, release), InspectionError);
  });
});
