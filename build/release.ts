/**
 * The last step: the files of a release, put together in a directory beside the old one and exchanged by a rename, so
 * that `out/VERSION` is a whole release or the one from before.
 */
import {createHash} from 'node:crypto';
import {copyFile, mkdir, readFile, rename, rm, stat, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import type {SectorSize} from '../formats/gpt/types.ts';
import {decodeOsRelease} from '../formats/os-release.ts';
import {
  MAX_RELEASE_BYTES,
  RELEASE_FILE,
  type Release,
  ReleaseError,
  formatRelease,
  parseRelease,
} from '../formats/release.ts';
import {encodeSha256Sums} from '../formats/sha256sums.ts';
import {guidFromRootHash} from '../formats/verity.ts';
import {assembleDisk} from '../image/disk.ts';
import {makeEsp, makeOem} from '../image/file-systems.ts';
import {liveCommandLine, liveScript} from '../image/command-line.ts';
import {PARTITIONS} from '../formats/disk-layout.ts';
import {pathExists, sha256File, syncDirectory} from '../platform/files.ts';
import type {Log, Progress} from '../platform/log.ts';
import {requireWithinBudgets} from './budgets.ts';
import type {StepResults} from './engine.ts';
import {formatLock} from './lock.ts';
import {packInstaller} from './installer.ts';
import {UKI_FILE} from './steps/boot.ts';
import type {StepContext} from './steps/context.ts';
import {INITRD_FILE} from './steps/initrd.ts';
import {LIVE_INITRD_FILE, LIVE_UKI_FILE} from './steps/live.ts';
import {KERNEL_FILE, KERNEL_RELEASE_FILE} from './steps/kernel.ts';
import {INSTALLER_FILE} from './steps/programs.ts';
import {OS_RELEASE_FILE, SBOM_FILE, SELECTOR_FILE, USR_FILE, readUsrFacts} from './steps/usr.ts';

/** Hash over everything that shaped the files, so that an unchanged build can tell. */
const BUILD_KEY_FILE = '.build-key';

export interface ReleaseOptions {
  context: StepContext;
  results: StepResults;
  outDir: string;
  sectorSize: SectorSize;
  /** Hash of the code that puts the files together. */
  program: string;
  log: Log;
}

export interface MadeRelease {
  directory: string;
  release: Release;
  isUnchanged: boolean;
}

/** Throws ReleaseError when what lies at the release's place is not an earlier release: it would be removed. */
export async function requireReplaceable(outDir: string, version: string): Promise<void> {
  const directory = join(outDir, version);
  if (!(await pathExists(directory)) || (await pathExists(join(directory, RELEASE_FILE)))) return;
  throw new ReleaseError('bad-release', `${directory} is there already, but it is no release`, {
    hint: 'move it away, or name another directory with --out',
  });
}

export async function makeRelease(options: ReleaseOptions): Promise<MadeRelease> {
  const {context, results, sectorSize} = options;
  const directory = join(options.outDir, context.definition.version);
  await requireReplaceable(options.outDir, context.definition.version);
  const keyed = {
    digests: [...results].map(([name, {digest}]) => [name, digest]),
    sectorSize,
    program: options.program,
  };
  const buildKey = createHash('sha256')
    .update(JSON.stringify(keyed))
    .update(formatLock(context.lock))
    .digest('hex');
  const existing = await readUnchanged(directory, buildKey);
  if (existing !== undefined) return {directory, release: existing, isUnchanged: true};

  const temporary = join(options.outDir, `.new-${context.definition.version}`);
  await rm(temporary, {recursive: true, force: true});
  await mkdir(temporary, {recursive: true});
  try {
    const release = await options.log.step('Assembling the release', (progress) =>
      fillRelease(temporary, buildKey, options, progress),
    );
    context.signal.throwIfAborted();
    const old = `${temporary}-old`;
    await rm(old, {recursive: true, force: true});
    if (await pathExists(directory)) await rename(directory, old);
    await rename(temporary, directory);
    await syncDirectory(options.outDir);
    await rm(old, {recursive: true, force: true});
    return {directory, release, isUnchanged: false};
  } finally {
    await rm(temporary, {recursive: true, force: true});
  }
}

async function fillRelease(
  out: string,
  buildKey: string,
  options: ReleaseOptions,
  progress: Progress,
): Promise<Release> {
  const {context, results, sectorSize} = options;
  const {definition, lock, toolbox, scratchDir, signal} = context;
  const from = (step: string, file: string): string => join(results.get(step)?.directory ?? '', file);
  const facts = await readUsrFacts(results.get('usr')?.directory ?? '');
  const osRelease = decodeOsRelease(await readFile(from('usr', OS_RELEASE_FILE), 'utf8'));
  const sizes = {
    usr: {bytes: facts.bytes, budget: definition.budgets.usr},
    uki: {bytes: (await stat(from('uki', UKI_FILE))).size, budget: definition.budgets.uki},
  };
  requireWithinBudgets(Object.entries(sizes).map(([what, size]) => ({what, ...size})));

  const seed = createHash('sha256')
    .update(`${definition.id} ${definition.version} ${facts.rootHash}`)
    .digest('hex');
  const fileSystem = {
    sourceDate: lock.sourceDate,
    sectorSize,
    run: (...args: Parameters<typeof toolbox.run>) => toolbox.run(...args),
  };
  const [esp, oem] = [join(scratchDir, 'esp.img'), join(scratchDir, 'oem.img')];
  progress.note('ESP and OEM');
  await makeEsp(
    {selector: from('selector', SELECTOR_FILE), uki: from('uki', UKI_FILE)},
    {...fileSystem, out: esp, seed},
  );
  await makeOem(scratchDir, {
    ...fileSystem,
    out: oem,
    seed: createHash('sha256').update(`${seed} OEM`).digest('hex'),
  });

  const roles: Record<string, string> = {};
  async function add(role: string, name: string, source: string): Promise<void> {
    await copyFile(source, join(out, name));
    roles[name] = role;
  }
  await add('usr', 'usr.img', from('usr', USR_FILE));
  await add('uki', 'uki.efi', from('uki', UKI_FILE));
  await add('selector', 'selector.efi', from('selector', SELECTOR_FILE));
  await add('kernel', 'kernel', from('kernel', KERNEL_FILE));
  await add('initrd', 'initrd', from('initrd', INITRD_FILE));
  await add('live-initrd', LIVE_INITRD_FILE, from('live-initrd', LIVE_INITRD_FILE));
  await add('live-uki', LIVE_UKI_FILE, from('live-uki', LIVE_UKI_FILE));
  await add('sbom', 'sbom.spdx.json', from('usr', SBOM_FILE));
  const installer = packInstaller({
    program: await readFile(from('programs', INSTALLER_FILE), 'utf8'),
    selector: await readFile(from('selector', SELECTOR_FILE)),
    keys: context.updateKeys,
    channelKeys: context.channelKeys,
  });
  await writeFile(join(out, 'caisson-install.mjs'), installer, {mode: 0o755});
  roles['caisson-install.mjs'] = 'installer';
  await writeFile(join(out, 'packages.lock.json'), formatLock(lock));
  roles['packages.lock.json'] = 'lock';
  const script = liveScript({
    name: `${definition.name} ${definition.version}`,
    kernel: 'kernel',
    initrd: LIVE_INITRD_FILE,
    commandLine: liveCommandLine(definition.kernel.arguments),
  });
  await writeFile(join(out, 'live.ipxe'), script);
  roles['live.ipxe'] = 'live-script';

  progress.note('disk image');
  const disk = join(out, 'disk.raw');
  await assembleDisk({
    out: disk,
    identity: {seed, usrGuid: guidFromRootHash(facts.rootHash)},
    sectorSize,
    contents: {esp, usrA: from('usr', USR_FILE), oem},
    signal,
    onBytes: (done) => progress.update(done),
  });
  roles['disk.raw'] = 'disk';
  progress.note('qcow2 and checksums');
  const qcow2 = 'disk.qcow2';
  const converting = toolbox.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', disk, join(out, qcow2)]);
  const files: Release['files'] = {};
  const addFile = async (name: string, role: string): Promise<void> => {
    const path = join(out, name);
    files[name] = {role, bytes: (await stat(path)).size, sha256: await sha256File(path, signal)};
  };
  // Converting keeps another processor busy meanwhile.
  await Promise.all([converting, ...Object.entries(roles).map(([name, role]) => addFile(name, role))]);
  await addFile(qcow2, 'disk-qcow2');
  await Promise.all([rm(esp), rm(oem), rm(join(scratchDir, 'oem'), {recursive: true})]);

  const release: Release = {
    format: 'caisson-release-1',
    id: definition.id,
    name: definition.name,
    version: definition.version,
    channel: definition.channel,
    buildId: osRelease.get('BUILD_ID') ?? '',
    architecture: 'x86-64',
    sourceDate: lock.sourceDate,
    kernelRelease: (await readFile(from('kernel', KERNEL_RELEASE_FILE), 'utf8')).trim(),
    usr: {...facts, partitionGuid: guidFromRootHash(facts.rootHash)},
    sectorSize,
    sizes: {...sizes, 'usr-partition': {bytes: facts.bytes, budget: PARTITIONS.usrA.bytes}},
    packages: lock.os.length + lock.unpack.length + lock.kernel.length,
    updateKeys: context.updateKeys.map(({name, sha256}) => ({name, sha256})),
    channelKeys: context.channelKeys.map(({name, sha256}) => ({name, sha256})),
    files: Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  const manifest = formatRelease(release);
  await writeFile(join(out, RELEASE_FILE), manifest);
  const sums = Object.entries(files).map(([name, {sha256}]) => ({name, sha256}));
  sums.push({name: RELEASE_FILE, sha256: createHash('sha256').update(manifest).digest('hex')});
  await writeFile(join(out, 'SHA256SUMS'), encodeSha256Sums(sums));
  // Bookkeeping of this machine, not part of the release: the same bytes may come from other inputs.
  await writeFile(join(out, BUILD_KEY_FILE), buildKey);
  return release;
}

/** The release that lies there already, when it came from the same inputs and none of its files is gone or cut short. */
async function readUnchanged(directory: string, buildKey: string): Promise<Release | undefined> {
  const path = join(directory, RELEASE_FILE);
  const size = await stat(path).then(
    ({size: bytes}) => bytes,
    () => undefined,
  );
  if (size === undefined || size > MAX_RELEASE_BYTES) return undefined;
  const key = await readFile(join(directory, BUILD_KEY_FILE), 'utf8').catch(() => undefined);
  if (key !== buildKey) return undefined;
  let release: Release;
  try {
    release = parseRelease(await readFile(path, 'utf8'), path);
  } catch {
    return undefined;
  }
  for (const [name, {bytes}] of Object.entries(release.files)) {
    const found = await stat(join(directory, basename(name))).catch(() => undefined);
    if (found?.size !== bytes) return undefined;
  }
  return release;
}
