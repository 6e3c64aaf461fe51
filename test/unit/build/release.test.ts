import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {requireReplaceable} from '../../../build/release.ts';
import {ReleaseError} from '../../../formats/release.ts';

const folder = await mkdtemp(join(tmpdir(), 'release-'));
after(() => rm(folder, {recursive: true}));

describe('requireReplaceable', () => {
  it('takes an earlier release, and a place where nothing is', async () => {
    await requireReplaceable(folder, '1.0.0');
    await mkdir(join(folder, '1.0.1'));
    await writeFile(join(folder, '1.0.1/release.json'), 'of whatever build');
    await requireReplaceable(folder, '1.0.1');
  });

  it('refuses a directory of someone else, which the build would remove', async () => {
    await mkdir(join(folder, '2.0.0'));
    await writeFile(join(folder, '2.0.0/thesis.tex'), 'x');
    await assert.rejects(
      requireReplaceable(folder, '2.0.0'),
      (error) => error instanceof ReleaseError && /2\.0\.0 is there already/.test(error.message),
    );
  });
});
