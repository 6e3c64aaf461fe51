/** Promotions at the same time, in one process and in several. */
import assert from 'node:assert/strict';
import {setMaxListeners} from 'node:events';
import {mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {hostname, tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, it} from 'node:test';
import {promoteRelease, readChannels} from '../../server/channel-file.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';

const VERSIONS = Array.from({length: 20}, (_, index) => `1.${index}.0`);
const dir = await mkdtemp(join(tmpdir(), 'channels-'));
after(() => rm(dir, {recursive: true}));
for (const version of VERSIONS) await addRelease(dir, version, samplePayload(version, 2));

it('twenty promotions at once all count, whatever a killed one left behind', async () => {
  // No process has this number: it is above what the kernel gives out.
  await writeFile(join(dir, '.channels.lock'), `${hostname()} 4194305 0000`);
  const {signal} = new AbortController();
  // Each of the twenty listens.
  setMaxListeners(0, signal);
  await Promise.all(
    VERSIONS.map((version) =>
      promoteRelease(
        dir,
        openReleaseFolder(dir),
        {version, channel: 'alpha', allowDowngrade: true, at: 0},
        signal,
      ),
    ),
  );
  const {alpha} = await readChannels(dir);
  assert.deepEqual([alpha?.version, ...(alpha?.past ?? [])].sort(), [...VERSIONS].sort());
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith('.')),
    [],
  );
});
