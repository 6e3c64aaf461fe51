/** The release server with one release in it, as an installer or a host finds it. */
import {mkdir, symlink} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import type {TestContext} from 'node:test';
import {RELEASE_FILE} from '../../../formats/release.ts';
import {PAYLOAD_FILE} from '../../../payload/make.ts';
import {promoteRelease} from '../../../server/channel-file.ts';
import {openReleaseFolder} from '../../../server/releases.ts';
import {serveReleases} from '../../../server/serve.ts';
import {readRelease} from './releases.ts';
import {fullPayload} from './updates.ts';

export interface ServedRelease {
  /** As guests behind QEMU's own network reach it. */
  url: string;
  /** Adds another release and points the channel to it. */
  promote(release: string): Promise<void>;
}

/** In channel stable, until the test ends. */
export async function serveRelease(t: TestContext, dir: string, release: string): Promise<ServedRelease> {
  const folder = openReleaseFolder(dir);
  async function promote(from: string): Promise<void> {
    const {version} = await readRelease(from);
    const served = join(dir, version, PAYLOAD_FILE);
    await mkdir(dirname(served), {recursive: true});
    await symlink(join(from, RELEASE_FILE), join(dir, version, RELEASE_FILE));
    await symlink(await fullPayload(from, t.signal), served);
    const offer = {version, channel: 'stable', allowDowngrade: false, at: 0} as const;
    await promoteRelease(dir, folder, offer, t.signal);
  }
  await promote(release);
  const server = await serveReleases({
    ...{dir, host: '127.0.0.1', port: 0, tls: null, publicUrl: null},
    ...{now: () => Date.now(), onLine: () => undefined, onAccess: () => undefined},
  });
  t.after(() => server.close(0));
  return {url: `${server.url.replace('127.0.0.1', '10.0.2.2')}/v1/update/`, promote};
}
