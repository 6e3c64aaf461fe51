/**
 * A release in another form. The programs come from the tools tree that the release itself was built with, by its own
 * lock: the same release gives the same bytes on any build host, today and later.
 */
import {mkdir, readFile, rm, stat, utimes, writeFile} from 'node:fs/promises';
import {freemem} from 'node:os';
import {dirname, join} from 'node:path';
import {type Release, ReleaseError, fileOfRole} from '../formats/release.ts';
import {DISK_FORMATS, type DiskFormat, convertCommand, settleImage} from '../image/disk-formats.ts';
import {ISO_LABEL, isoCommand, writeIsoEsp} from '../image/iso.ts';
import {copySparse, sha256File} from '../platform/files.ts';
import {createHttpClient} from '../platform/http.ts';
import type {Log} from '../platform/log.ts';
import {runSteps} from './engine.ts';
import {parseLock} from './lock.ts';
import {type MirrorOptions, findMirror} from './mirror.ts';
import {withSourceInputs} from './steps/sources.ts';
import {TREE_FILE, TOOLS_TREE, toolsTreeStep} from './steps/trees.ts';
import {type Toolbox, createToolbox, mountScratch} from './toolbox.ts';

export const IMAGE_FORMATS = [...DISK_FORMATS, 'iso'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

export interface ConvertOptions extends MirrorOptions {
  rootDir: string;
  cacheDir: string;
  directory: string;
  release: Release;
  format: ImageFormat;
  /** A file that is not there yet, on the file system of its final place. */
  out: string;
  /** For the ISO: a payload that lies on it, so that it installs without a network. */
  payload: string | undefined;
  log: Log;
  signal: AbortSignal;
}

/** The file's name on the ISO. */
export const ISO_PAYLOAD = 'update.payload';
const PROGRAM: Readonly<Record<Exclude<ImageFormat, 'raw'>, string>> = {
  ...{qcow2: 'qemu-utils', vmdk: 'qemu-utils', vhd: 'qemu-utils'},
  iso: 'xorriso',
};

/** Has to be called inside a namespace of its own; see platform/namespace.ts. Throws ReleaseError, ExecError. */
export async function convertRelease(options: ConvertOptions): Promise<void> {
  const {release, format, out, log} = options;
  const source = await checkedFile(options, format === 'iso' ? 'live-uki' : 'disk');
  if (format === 'raw') {
    await log.step('Copying the disk image', () => copySparse(source, out));
    return;
  }
  const settled = {
    seed: `${release.id} ${release.version} ${release.usr.rootHash}`,
    sourceDate: release.sourceDate,
  };
  await withToolbox(options, PROGRAM[format], async (toolbox, scratch) => {
    if (format === 'iso') {
      await log.step('Writing the ISO', () => makeIso({...options, toolbox, scratch, source, settled}));
      return;
    }
    await log.step(`Converting to ${format}`, () => convert(toolbox, format, source, options, settled));
  });
}

async function convert(
  toolbox: Toolbox,
  format: Exclude<DiskFormat, 'raw'>,
  source: string,
  {out}: ConvertOptions,
  settled: {seed: string; sourceDate: number},
): Promise<void> {
  await toolbox.run(convertCommand(format, source, out));
  await settleImage(format, out, settled);
}

async function makeIso({
  toolbox,
  scratch,
  source,
  settled,
  release,
  payload,
  out,
}: ConvertOptions & {
  toolbox: Toolbox;
  scratch: string;
  source: string;
  settled: {seed: string; sourceDate: number};
}): Promise<void> {
  const [esp, tree] = [join(scratch, 'iso-esp.img'), join(scratch, 'iso')];
  await writeIsoEsp(esp, {path: source, bytes: (await stat(source)).size}, settled);
  await mkdir(tree);
  await writeFile(join(tree, 'README.TXT'), readMe(release, payload !== undefined));
  if (payload !== undefined) await copySparse(payload, join(tree, ISO_PAYLOAD));
  for (const name of ['README.TXT', ...(payload === undefined ? [] : [ISO_PAYLOAD])])
    await utimes(join(tree, name), settled.sourceDate, settled.sourceDate);
  await utimes(tree, settled.sourceDate, settled.sourceDate);
  // xorriso derives every time and identifier from it.
  await toolbox.run(isoCommand({esp, tree, out}), {env: {SOURCE_DATE_EPOCH: String(settled.sourceDate)}});
  await rm(esp);
  await rm(tree, {recursive: true});
}

function readMe({name, version}: Release, hasPayload: boolean): string {
  const source = hasPayload ? `-f /mnt/${ISO_PAYLOAD}` : '-s URL-OF-YOUR-UPDATE-SERVER';
  return [
    `${name} ${version}, live: it runs from memory and leaves disks alone.`,
    'To install it: caisson-install --list, then',
    ...(hasPayload ? [`  sudo mount LABEL=${ISO_LABEL} /mnt`] : []),
    `  sudo caisson-install -d /dev/DISK ${source} -i config.ign`,
    '',
  ].join('\r\n');
}

/** Throws ReleaseError when the file is not the one that the release names. */
async function checkedFile({directory, release, log, signal}: ConvertOptions, role: string): Promise<string> {
  const name = fileOfRole(release, role);
  const path = join(directory, name);
  await log.step(`Checking ${name}`, async () => {
    const found = await sha256File(path, signal);
    const expected = release.files[name]?.sha256;
    if (found !== expected)
      throw new ReleaseError('bad-release', `${path} has SHA-256 ${found}, its release says ${expected}`);
  });
  return path;
}

async function withToolbox(
  options: ConvertOptions,
  program: string,
  use: (toolbox: Toolbox, scratch: string) => Promise<void>,
): Promise<void> {
  const {rootDir, cacheDir, directory, release, out, payload, log, signal} = options;
  const lockPath = join(directory, fileOfRole(release, 'lock'));
  const lock = parseLock(await readFile(lockPath, 'utf8'), lockPath);
  if (!lock.tools.some(({name}) => name === program))
    throw new ReleaseError('bad-release', `release ${release.version} was built without ${program}`, {
      hint: 'build it again with this version of caisson',
    });
  const scratchDir = join(cacheDir, 'scratch');
  const releaseScratch = await mountScratch(scratchDir, freemem());
  const getMirror = () => findMirror(options);
  const http = getMirror().then(({proxy}) => createHttpClient({proxy}));
  try {
    const packages = {
      ...{directory: join(cacheDir, 'packages'), mirror: getMirror, http: () => http, log, signal},
    };
    const step = toolsTreeStep({lock, packages, scratchDir, signal});
    const steps = await withSourceInputs([step], rootDir);
    const archive = runSteps(steps, {cacheDir, log, signal}).then((results) =>
      join(results.get(TOOLS_TREE)?.directory ?? '', TREE_FILE),
    );
    const shared = [
      cacheDir,
      scratchDir,
      directory,
      dirname(out),
      ...(payload === undefined ? [] : [dirname(payload)]),
    ];
    await archive;
    await use(
      createToolbox(() => archive, {scratchDir, shared: [...new Set(shared)], signal}),
      scratchDir,
    );
  } finally {
    await (await http.catch(() => undefined))?.close();
    await releaseScratch();
  }
}

/** What the file is, for whoever gets it. */
export async function describeImage(path: string): Promise<{bytes: number; sha256: string}> {
  const hash = await sha256File(path);
  return {bytes: (await stat(path)).size, sha256: hash};
}
