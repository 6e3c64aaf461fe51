/** Updates of a guest, as an operator makes them, and what it says of itself afterwards. */
import {createHash, createPrivateKey} from 'node:crypto';
import {mkdir, readFile, rename, stat} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {formatProduct} from '../../../formats/payload/product.ts';
import {type Release, fileOfRole} from '../../../formats/release.ts';
import {pathExists} from '../../../platform/files.ts';
import {silentLog} from '../../../platform/log.ts';
import {readPrivateKeys} from '../../../payload/key-files.ts';
import {PAYLOAD_FILE, makePayload} from '../../../payload/make.ts';
import {type Status, statusSchema} from '../../../update-engine/api/status.ts';
import {updateKeys} from '../../support/release.ts';
import {writeBlockDelta} from './block-delta.ts';
import type {Guest} from './guest.ts';
import {GUEST_FOLDER} from './paths.ts';
import {readRelease} from './releases.ts';

/** Unpacking, hashing and reading back under emulation, on a machine that does other things as well. */
export const UPDATE_DEADLINE_MS = 40 * 60_000;
const ASK_EVERY_MS = 2_000;
const COPY_DEADLINE_MS = 10 * 60_000;

/** The full payload of a release, quickly compressed; made once. */
export async function fullPayload(folder: string, signal: AbortSignal): Promise<string> {
  const out = join(folder, PAYLOAD_FILE);
  const release = await readRelease(folder);
  const [made, manifest] = [await stat(out).catch(() => undefined), await stat(join(folder, 'release.json'))];
  if (made !== undefined && made.mtimeMs >= manifest.mtimeMs) return out;
  await mkdir(dirname(out), {recursive: true});
  const privateKeys = await readPrivateKeys([updateKeys().privateKey]);
  const signing = {kind: 'keys', privateKeys} as const;
  await makePayload({
    ...{directory: folder, release, out, signing},
    ...{jobs: 2, effort: 'quick', signal, log: silentLog},
  });
  return out;
}

/** A payload that builds on a release the guest runs; cheap to apply. Made once for each pair of releases. */
export async function deltaPayload(from: string, to: string): Promise<string> {
  const [old, next] = [await readRelease(from), await readRelease(to)];
  const namesOf = (release: Release): string[] => [fileOfRole(release, 'usr'), fileOfRole(release, 'uki')];
  const hash = createHash('sha256').update(JSON.stringify(await readFile(updateKeys().privateKey, 'utf8')));
  for (const release of [old, next])
    for (const name of namesOf(release)) hash.update(release.files[name]?.sha256 ?? '');
  const out = join(GUEST_FOLDER, 'releases', `${next.version}-${hash.digest('hex').slice(0, 16)}.payload`);
  if (await pathExists(out)) return out;
  const pathsOf = (folder: string, [usr = '', uki = '']: string[]): Record<string, string> => ({
    usr: join(folder, usr),
    kernel: join(folder, uki),
  });
  const {id, architecture, version, sourceDate} = next;
  await writeBlockDelta({
    old: pathsOf(from, namesOf(old)),
    next: pathsOf(to, namesOf(next)),
    version: formatProduct({id, architecture, version}),
    maxTimestamp: sourceDate,
    key: createPrivateKey(await readFile(updateKeys().privateKey)),
    out: `${out}.new`,
  });
  await rename(`${out}.new`, out);
  return out;
}

/** Copies a payload into the guest and gives its path there. */
export async function copyPayload(guest: Guest, path: string): Promise<string> {
  const target = '/var/tmp/update.payload';
  const stdin = await readFile(path);
  await guest.runAsRoot(['sh', '-c', `cat > ${target}`], {stdin, deadlineMs: COPY_DEADLINE_MS});
  return target;
}

export async function statusOf(guest: Guest): Promise<Status> {
  return statusSchema.parse(JSON.parse(await guest.run(['caissonctl', 'status', '--json'])));
}

/** Asks until the answer fits; the guest may be away between two boots. Throws when that takes too long. */
export async function statusUntil(
  guest: Guest,
  signal: AbortSignal,
  fits: (status: Status) => boolean,
): Promise<Status> {
  const until = performance.now() + UPDATE_DEADLINE_MS;
  for (;;) {
    const status = await statusOf(guest).catch(() => undefined);
    if (status !== undefined && fits(status)) return status;
    if (performance.now() > until)
      throw new Error(`the guest never came to the status wanted; last: ${JSON.stringify(status)}`);
    await sleep(ASK_EVERY_MS, undefined, {signal});
  }
}
