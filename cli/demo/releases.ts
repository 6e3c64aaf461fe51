/**
 * The three releases of the demo: a good one, the next, and one that is broken as real ones are: it boots, and a check
 * of its operator fails. Made by the same commands that a person would type.
 */
import {chmod, mkdir, stat, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {PAYLOAD_FILE} from '../../payload/make.ts';
import {exec} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {ROOT_DIR} from '../paths.ts';

export const DEMO_VERSIONS = {first: '1.0.0', second: '1.1.0', broken: '1.2.0'} as const;
export type DemoRelease = keyof typeof DEMO_VERSIONS;

export interface DemoFolder {
  /** Releases, keys and channels; kept, so that a second demo begins at once. */
  directory: string;
  signal: AbortSignal;
  say: (text: string) => void;
}

const BUILD_TIMEOUT_MS = 60 * 60_000;
/** Of the broken release; fails wherever it runs. */
const BROKEN_CHECK = 'broken/etc/caisson/health.d/50-demo';

export async function makeKeysOnce({directory, signal, say}: DemoFolder): Promise<string> {
  const folder = join(directory, 'keys');
  if (!(await pathExists(join(folder, 'update.key.pem')))) {
    await caisson(['keys', '--out', folder, '--subject', 'Caisson demo'], signal);
    say('made a key pair that signs the updates');
  }
  return folder;
}

/** Builds a release that trusts the demo's key. Quick when it was built before. */
export async function buildRelease(
  which: DemoRelease,
  {directory, signal, say}: DemoFolder,
): Promise<string> {
  const version = DEMO_VERSIONS[which];
  const site = which === 'broken' ? await writeBrokenSite(directory) : undefined;
  await caisson(
    [
      ...['build', '--out', directory, '--release-version', version],
      ...['--update-key', join(directory, 'keys/update.pub.pem')],
      ...(site === undefined ? [] : ['--site', site]),
    ],
    signal,
  );
  say(`built release ${version}`);
  return join(directory, version);
}

/** Packs and signs a release for hosts. A build that changes a release takes its payload away. */
export async function packRelease(which: DemoRelease, {directory, signal, say}: DemoFolder): Promise<void> {
  const release = join(directory, DEMO_VERSIONS[which]);
  const payload = join(release, PAYLOAD_FILE);
  if (!(await pathExists(payload))) {
    const key = join(directory, 'keys/update.key.pem');
    await caisson(['payload', 'make', release, '--quick', '--key', key], signal);
  }
  const {size} = await stat(payload);
  say(`packed and signed release ${DEMO_VERSIONS[which]}: ${(size / 1e6).toFixed(0)} MB to download`);
}

export async function promote(which: DemoRelease, {directory, signal, say}: DemoFolder): Promise<void> {
  const key = join(directory, 'keys/update.pub.pem');
  await caisson(['promote', DEMO_VERSIONS[which], 'stable', '--dir', directory, '--key', key], signal);
  say(`channel stable now offers ${DEMO_VERSIONS[which]}`);
}

async function writeBrokenSite(directory: string): Promise<string> {
  const check = join(directory, BROKEN_CHECK);
  await mkdir(dirname(check), {recursive: true});
  await writeFile(check, '#!/bin/sh\necho "this release does not do its work" >&2\nexit 1\n');
  await chmod(check, 0o755);
  const site = join(directory, 'broken.yaml');
  await writeFile(site, '{}\n');
  return site;
}

function caisson(words: readonly string[], signal: AbortSignal): ReturnType<typeof exec> {
  return exec([join(ROOT_DIR, 'caisson'), ...words], {signal, timeoutMs: BUILD_TIMEOUT_MS});
}
