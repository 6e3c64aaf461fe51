/**
 * Releases to update to, good ones and broken ones.
 *
 * Release 1 is the one under test. Release 2 is the same under another version. Release 3 has faults built in that
 * sleep (test/fixtures/faults): a broken release 3 is a copy whose kernel command line wakes one of them, with a
 * release.json that fits, so that real payloads can be made of it. Rejected: a build for each fault, half a minute and
 * 3 GB each.
 */
import {createHash} from 'node:crypto';
import {copyFile, link, mkdir, mkdtemp, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {
  RELEASE_FILE,
  type Release,
  fileOfRole,
  formatRelease,
  parseRelease,
} from '../../../formats/release.ts';
import {encodeSha256Sums} from '../../../formats/sha256sums.ts';
import {exec} from '../../../platform/exec.ts';
import {pathExists, sha256File} from '../../../platform/files.ts';
import {channelKeys, releaseFolder, updateKeys} from '../../support/release.ts';
import {withFileLock} from './file-lock.ts';
import {GUEST_FOLDER} from './paths.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FIXTURES = join(ROOT, 'test/fixtures');
/** Beside the saved guests: a release with its disk images is 2.5 GB. */
const RELEASES = join(GUEST_FOLDER, 'releases');
const BUILD_TIMEOUT_MS = 20 * 60_000;

interface Fault {
  /** Takes the place holder's place on the kernel command line, at most as long as that. */
  arguments: string;
  what: string;
  /** What the console shows of it. */
  console: RegExp;
  /** Whether the host itself gives the slot up; otherwise its tries run out. */
  isGivenUp: boolean;
}

export const FAULTS = {
  panic: {
    arguments: 'rdinit=/nowhere',
    what: 'the kernel panics at boot',
    console: /Kernel panic - not syncing/,
    isGivenUp: false,
  },
  initrd: {
    arguments: 'root=LABEL=nowhere systemd.default_device_timeout_sec=10',
    what: 'the initrd does not find ROOT',
    console: /caisson: the host could not start from this slot/,
    isGivenUp: false,
  },
  hang: {
    arguments: 'caisson.fault=hang',
    what: 'systemd hangs, and the hardware watchdog resets the machine',
    // A hang has no last words: what shows is the next start.
    console: /booting USR-\w \([^)]*tries left 0, not yet successful\)/,
    isGivenUp: false,
  },
  stuck: {
    arguments: 'caisson.fault=stuck',
    what: 'the boot waits for ever',
    console: /caisson: this release did not come up well; it is given up/,
    isGivenUp: true,
  },
  health: {
    arguments: 'caisson.fault=health',
    what: 'a unit of the release fails',
    console: /caisson: this release did not come up well; it is given up/,
    isGivenUp: true,
  },
  engine: {
    arguments: 'caisson.fault=engine',
    what: 'the update engine does not start',
    console: /caisson: this release did not come up well; it is given up/,
    isGivenUp: true,
  },
  /** Needs the pending document of an update, by which alone the host then knows that it is on trial. */
  node: {
    arguments: 'caisson.fault=node',
    what: 'no program of ours runs, because Node does not',
    console: /caisson: that could not be written down; its tries left decide/,
    isGivenUp: false,
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

const PLACE_HOLDER = /caisson\.fault=none-+/;

/** Release 1: the one under test. */
export const firstRelease = releaseFolder;

/** Release 2: a good one, of another version. */
export async function secondRelease(): Promise<string> {
  return build('0.2.0', []);
}

/** Release 3: good, or broken in one way. A release directory without disk images. */
export async function thirdRelease(fault?: FaultName): Promise<string> {
  const good = await build('0.3.0', ['--site', join(FIXTURES, 'faults.yaml')]);
  return fault === undefined ? good : breakRelease(good, fault);
}

export async function readRelease(folder: string): Promise<Release> {
  const path = join(folder, RELEASE_FILE);
  return parseRelease(await readFile(path, 'utf8'), path);
}

/** Builds from the packages of release 1. Costs seconds when nothing has changed since. */
async function build(version: string, options: readonly string[]): Promise<string> {
  const out = RELEASES;
  await mkdir(out, {recursive: true});
  await withFileLock(join(out, 'lock'), {mode: 'exclusive'}, async () => {
    const lock = join(firstRelease(), 'packages.lock.json');
    const {sectorSize} = await readRelease(firstRelease());
    await exec(
      [
        join(ROOT, 'caisson'),
        ...['build', '--json', '--lock', lock, '--release-version', version, '--out', out],
        ...['--sector-size', String(sectorSize), '--update-key', updateKeys().publicKey],
        ...['--channel-key', channelKeys().publicKey, ...options],
      ],
      {cwd: ROOT, timeoutMs: BUILD_TIMEOUT_MS},
    );
  });
  return join(out, version);
}

/** A copy under the same version whose UKI says something else to the kernel; /usr is shared by a link. */
async function breakRelease(good: string, fault: FaultName): Promise<string> {
  const release = await readRelease(good);
  const [usr, uki] = [fileOfRole(release, 'usr'), fileOfRole(release, 'uki')];
  // The UKI's hash changes with everything in the release, and so stands for it.
  const key = createHash('sha256').update(`${release.files[uki]?.sha256} ${FAULTS[fault].arguments}`);
  const folder = join(RELEASES, `${release.version}-${fault}-${key.digest('hex').slice(0, 12)}`);
  if (await pathExists(join(folder, RELEASE_FILE))) return folder;
  const work = await mkdtemp(join(RELEASES, '.work-'));
  try {
    await link(join(good, usr), join(work, usr)).catch(() => copyFile(join(good, usr), join(work, usr)));
    await writeFile(
      join(work, uki),
      replaceArguments(await readFile(join(good, uki)), FAULTS[fault].arguments),
    );
    const describe = async (name: string): Promise<Release['files'][string]> => {
      const {role, bytes} = release.files[name] ?? {role: '', bytes: 0};
      return {role, bytes, sha256: await sha256File(join(work, name))};
    };
    const files = {[uki]: await describe(uki), [usr]: await describe(usr)};
    const manifest = formatRelease({...release, files});
    await writeFile(join(work, RELEASE_FILE), manifest);
    const sums = Object.entries(files).map(([name, {sha256}]) => ({name, sha256}));
    sums.push({name: RELEASE_FILE, sha256: createHash('sha256').update(manifest).digest('hex')});
    await writeFile(join(work, 'SHA256SUMS'), encodeSha256Sums(sums));
    await rm(folder, {recursive: true, force: true});
    await rename(work, folder);
  } finally {
    await rm(work, {recursive: true, force: true});
  }
  return folder;
}

/** The same UKI with other words in the place of the place holder, blanks after them. */
export function replaceArguments(uki: Buffer, words: string): Buffer {
  const text = uki.toString('latin1');
  const found = PLACE_HOLDER.exec(text);
  if (found === null) throw new Error('the UKI has no place holder on its command line');
  const [placeHolder] = found;
  if (PLACE_HOLDER.test(text.slice(found.index + placeHolder.length)))
    throw new Error('the UKI has the place holder twice');
  if (words.length > placeHolder.length) throw new Error(`${words} is longer than ${placeHolder}`);
  const copy = Buffer.from(uki);
  copy.write(words.padEnd(placeHolder.length, ' '), found.index, 'latin1');
  return copy;
}
