/** What a release directory holds, and whether its parts say the same of each other. */
import {readFile, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {RELEASE_FILE, type Release} from '../formats/release.ts';
import {type Sha256Sum, Sha256SumsError, decodeSha256Sums} from '../formats/sha256sums.ts';
import {type DiskInspection, inspectDisk} from '../image/disk-inspection.ts';
import {
  type UkiState,
  type UsrState,
  type VerifyOptions,
  findMismatches,
  inspectUki,
  inspectUsr,
  reasonOf,
} from '../formats/slot/parts.ts';
import {sha256File, withByteSource} from '../platform/files.ts';
import {describeSize} from './budgets.ts';
import {type LockedPackage, MAX_LOCK_BYTES, type PackageSet, parseLock} from './lock.ts';

export class InspectionError extends CodedError<'no-packages'> {}

export interface ReleaseInspection {
  directory: string;
  release: Release;
  uki: UkiState;
  usr: UsrState;
  /** Undefined when the release has no raw disk image that can be read. */
  disk: DiskInspection | undefined;
  /** Files that release.json does not name. */
  unlisted: string[];
  /** Whether all bytes were hashed. */
  isVerified: boolean;
  problems: string[];
}

export interface ListedPackage extends Pick<LockedPackage, 'name' | 'version' | 'architecture'> {
  /** Which tree it belongs to; `tools` made the release and is not in it. */
  set: PackageSet;
}

export const SUMS_FILE = 'SHA256SUMS';

/** `verify` has every file hashed, and /usr checked against its root hash. */
export async function inspectRelease(
  {directory, release}: {directory: string; release: Release},
  verify?: VerifyOptions,
): Promise<ReleaseInspection> {
  const problems: string[] = [];
  const {present, unlisted} = await compareFiles(directory, release, problems);
  await compareSums(directory, release, problems);
  if (verify !== undefined) await hashFiles(directory, release, present, verify, problems);

  const roleOf = (wanted: string): string | undefined =>
    Object.keys(release.files).find((name) => release.files[name]?.role === wanted && present.has(name));
  const [ukiFile, usrFile, diskFile] = [roleOf('uki'), roleOf('usr'), roleOf('disk')];
  const missing = {kind: 'missing'} as const;
  const uki: UkiState =
    ukiFile === undefined ? missing : await withByteSource(join(directory, ukiFile), inspectUki);
  const usr: UsrState =
    usrFile === undefined
      ? {kind: 'damaged', reason: 'the release has no /usr image'}
      : await withByteSource(join(directory, usrFile), (source) => inspectUsr(source, verify));
  problems.push(...findMismatches(uki, usr, release.usr.partitionGuid), ...compareFacts(release, uki, usr));
  let disk: DiskInspection | undefined;
  try {
    if (diskFile !== undefined) disk = await inspectDisk(join(directory, diskFile));
  } catch (error) {
    problems.push(reasonOf(error));
  }
  problems.push(...(disk?.problems ?? []).map((problem) => `${diskFile}: ${problem}`));
  const over = Object.entries(release.sizes).filter(([, {bytes, budget}]) => bytes > budget);
  problems.push(...over.map(([what, size]) => `over budget: ${describeSize({what, ...size})}`));
  return {directory, release, uki, usr, disk, unlisted, isVerified: verify !== undefined, problems};
}

/** The packages of the release's lock, sorted by name within their set. Throws LockError or InspectionError. */
export async function readPackages(directory: string, release: Release): Promise<ListedPackage[]> {
  const name = Object.keys(release.files).find((each) => release.files[each]?.role === 'lock');
  if (name === undefined)
    throw new InspectionError('no-packages', `release ${release.version} has no list of packages`);
  const path = join(directory, name);
  const {size} = await stat(path);
  if (size > MAX_LOCK_BYTES)
    throw new InspectionError('no-packages', `${path} has ${size} bytes, more than any package lock`);
  const lock = parseLock(await readFile(path, 'utf8'), path);
  return (['os', 'unpack', 'kernel', 'tools'] as const).flatMap((set) =>
    lock[set].map(({name: packageName, version, architecture}) => {
      return {set, name: packageName, version, architecture};
    }),
  );
}

async function compareFiles(
  directory: string,
  release: Release,
  problems: string[],
): Promise<{present: Set<string>; unlisted: string[]}> {
  const names = new Set(await readdir(directory));
  const present = new Set<string>();
  for (const [name, {bytes}] of Object.entries(release.files)) {
    const size = names.delete(name) ? (await stat(join(directory, name))).size : undefined;
    if (size === undefined) problems.push(`${name} is missing`);
    else if (size !== bytes) problems.push(`${name} has ${size} bytes, ${RELEASE_FILE} says ${bytes}`);
    if (size !== undefined) present.add(name);
  }
  const unlisted = [...names].filter((name) => ![RELEASE_FILE, SUMS_FILE].includes(name)).sort();
  return {present, unlisted};
}

async function compareSums(directory: string, release: Release, problems: string[]): Promise<void> {
  let sums: Sha256Sum[];
  try {
    sums = decodeSha256Sums(await readFile(join(directory, SUMS_FILE), 'utf8'));
  } catch (error) {
    const isGone = (error as {code?: unknown}).code === 'ENOENT';
    if (!isGone && !(error instanceof Sha256SumsError)) throw error;
    problems.push(isGone ? `${SUMS_FILE} is missing` : `${SUMS_FILE}: ${reasonOf(error)}`);
    return;
  }
  const expected = new Map(Object.entries(release.files).map(([name, {sha256}]) => [name, sha256]));
  expected.set(RELEASE_FILE, await sha256File(join(directory, RELEASE_FILE)));
  for (const {name, sha256} of sums) {
    const wanted = expected.get(name);
    if (wanted === undefined) problems.push(`${SUMS_FILE} names ${name}, which ${RELEASE_FILE} does not`);
    else if (wanted !== sha256)
      problems.push(`${SUMS_FILE} has another SHA-256 for ${name} than ${RELEASE_FILE}`);
    expected.delete(name);
  }
  for (const name of expected.keys()) problems.push(`${SUMS_FILE} does not name ${name}`);
}

async function hashFiles(
  directory: string,
  release: Release,
  present: ReadonlySet<string>,
  {signal, onBytes}: VerifyOptions,
  problems: string[],
): Promise<void> {
  for (const [name, {sha256, bytes}] of Object.entries(release.files)) {
    if (!present.has(name)) continue;
    const found = await sha256File(join(directory, name), signal);
    onBytes(bytes);
    if (found !== sha256) problems.push(`${name} has SHA-256 ${found}, ${RELEASE_FILE} says ${sha256}`);
  }
}

function compareFacts(release: Release, uki: UkiState, usr: UsrState): string[] {
  const pairs: [string, string | number, string | number][] = [];
  if (uki.kind === 'uki') {
    pairs.push(['version of the UKI', uki.version, release.version]);
    pairs.push(['build of the UKI', uki.buildId, release.buildId]);
    pairs.push(['channel of the UKI', uki.channel, release.channel]);
    pairs.push(['kernel of the UKI', uki.kernelRelease, release.kernelRelease]);
    pairs.push(['root hash in the UKI', uki.rootHash, release.usr.rootHash]);
  }
  if (usr.kind === 'usr') {
    pairs.push(['root hash of /usr', usr.rootHash, release.usr.rootHash]);
    pairs.push(['length of /usr', usr.bytes, release.usr.bytes]);
    pairs.push(['time of /usr', usr.madeAt, release.sourceDate]);
  }
  return pairs
    .filter(([, got, expected]) => got !== expected)
    .map(([what, got, expected]) => `the ${what} is ${got}, ${RELEASE_FILE} says ${expected}`);
}
