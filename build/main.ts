/** A build from beginning to end: definition, lock, steps, release. */
import {mkdir, readFile} from 'node:fs/promises';
import {freemem} from 'node:os';
import {basename, dirname, extname, join, resolve} from 'node:path';
import type {SectorSize} from '../formats/gpt/types.ts';
import {pathExists} from '../platform/files.ts';
import {type HttpClient, createHttpClient} from '../platform/http.ts';
import type {Log} from '../platform/log.ts';
import {fingerprintProgram} from './bundle.ts';
import {
  type Definition,
  applySite,
  checkChannel,
  checkVersion,
  parseDefinition,
  parseSite,
} from './definition.ts';
import {runSteps} from './engine.ts';
import {type PackageLock, parseLock, requireSameRequest} from './lock.ts';
import {findMirror, type Mirror} from './mirror.ts';
import type {PackageCache} from './packages.ts';
import {type MadeRelease, makeRelease, requireReplaceable} from './release.ts';
import {requestOf, resolvePackages} from './resolve.ts';
import {selectorStep, ukiStep} from './steps/boot.ts';
import type {StepContext} from './steps/context.ts';
import {initrdStep} from './steps/initrd.ts';
import {kernelStep} from './steps/kernel.ts';
import {liveInitrdStep, liveUkiStep, liveUsrStep} from './steps/live.ts';
import {programsStep} from './steps/programs.ts';
import {type BuildStep, withSourceInputs} from './steps/sources.ts';
import {TOOLS_TREE, TREE_FILE, osTreeStep, toolsTreeStep} from './steps/trees.ts';
import {usrStep} from './steps/usr.ts';
import {createToolbox, mountScratch} from './toolbox.ts';
import type {OverlaySource} from './tree/overlay.ts';
import {readUserLines} from './tree/users.ts';
import {type UpdateKey, readUpdateKeys, requireApart} from './update-keys.ts';

export interface BuildOptions {
  rootDir: string;
  outDir: string;
  cacheDir: string;
  /** The site's file; its overlay is the folder beside it of the same name without ending. */
  site?: string | undefined;
  lockFile?: string | undefined;
  /** Files with public keys that the release trusts; they take the place of those that the site names. */
  updateKeys?: readonly string[] | undefined;
  channelKeys?: readonly string[] | undefined;
  version?: string | undefined;
  channel?: string | undefined;
  mirror?: string | undefined;
  securityMirror?: string | undefined;
  sectorSize: SectorSize;
  log: Log;
  signal: AbortSignal;
}

/** Has to be called inside a namespace of its own; see platform/namespace.ts. */
export async function build(options: BuildOptions): Promise<MadeRelease> {
  const {rootDir, cacheDir, outDir, log, signal} = options;
  // Modes of directories end up in the image, whatever this user's habits are.
  process.umask(0o022);
  const definition = await readDefinition(options);
  const overlays = await overlaysOf(options);
  const updateKeys = await readUpdateKeys(
    keyFilesOf(definition.updateKeys, options.updateKeys, options),
    rootDir,
  );
  const channelKeys = await readUpdateKeys(
    keyFilesOf(definition.channelKeys, options.channelKeys, options),
    rootDir,
    'channel',
  );
  requireApart(updateKeys, channelKeys);
  sayWhomItTrusts(updateKeys, log);
  for (const {name, sha256} of channelKeys)
    log.info(`channels may be signed with ${name} (SHA-256 ${sha256.slice(0, 16)}...)`);
  await mkdir(outDir, {recursive: true});
  await requireReplaceable(outDir, definition.version);
  const scratchDir = join(cacheDir, 'scratch');
  const releaseScratch = await mountScratch(scratchDir, freemem());

  let http: Promise<HttpClient> | undefined;
  let mirror: Promise<Mirror> | undefined;
  const getMirror = (): Promise<Mirror> => (mirror ??= findMirror(options));
  const getHttp = (): Promise<HttpClient> =>
    (http ??= getMirror().then(({proxy}) => createHttpClient({proxy})));
  try {
    const lock = await readOrMakeLock(definition, options, {scratchDir, getMirror, getHttp});
    const packages: PackageCache = {
      directory: join(cacheDir, 'packages'),
      mirror: getMirror,
      http: getHttp,
      log,
      signal,
    };
    let toolsArchive = (): Promise<string> => Promise.reject(new Error('the tools tree is not there yet'));
    const toolbox = createToolbox(() => toolsArchive(), {
      scratchDir,
      shared: [cacheDir, scratchDir, rootDir, outDir],
      signal,
    });
    const context: StepContext = {
      definition,
      lock,
      packages,
      toolbox,
      overlays,
      updateKeys,
      channelKeys,
      rootDir,
      scratchDir,
      signal,
      warn: (text) => log.warn(text),
    };
    const steps = planSteps(context, await readUserLines(overlays));
    const results = runSteps(await withSourceInputs(steps, rootDir), {
      cacheDir,
      log,
      signal,
      onResult: (name, {directory}) => {
        if (name === TOOLS_TREE) toolsArchive = () => Promise.resolve(join(directory, TREE_FILE));
      },
    });
    const program = await fingerprintProgram(join(rootDir, 'build/release.ts'), rootDir);
    return await makeRelease({
      context,
      results: await results,
      outDir,
      sectorSize: options.sectorSize,
      program,
      log,
    });
  } finally {
    await (await http?.catch(() => undefined))?.close();
    await releaseScratch();
  }
}

/** All steps, each after those that it needs. `users` are the sysusers.d lines of the overlays. */
export function planSteps(context: StepContext, users: string): BuildStep[] {
  return [
    toolsTreeStep(context),
    osTreeStep(context, users),
    kernelStep(context),
    programsStep(context),
    selectorStep(context),
    usrStep(context),
    initrdStep(context),
    ukiStep(context),
    liveUsrStep(context),
    liveInitrdStep(context),
    liveUkiStep(context),
  ];
}

/** The definition with the site's file and the command line laid over it. */
export async function readDefinition(
  options: Pick<BuildOptions, 'rootDir' | 'site' | 'version' | 'channel'>,
): Promise<Definition> {
  const path = join(options.rootDir, 'build/os.yaml');
  let definition = parseDefinition({path: 'build/os.yaml', text: await readFile(path, 'utf8')});
  if (options.site !== undefined) {
    const text = await readFile(options.site, 'utf8');
    definition = applySite(definition, parseSite({path: options.site, text}), options.site);
  }
  return {
    ...definition,
    version:
      options.version === undefined ? definition.version : checkVersion(options.version, '--release-version'),
    channel: options.channel === undefined ? definition.channel : checkChannel(options.channel, '--channel'),
  };
}

/** Those of the command line, else those of the site, whose paths count from its own file. */
function keyFilesOf(
  ofSite: readonly string[],
  given: readonly string[] | undefined,
  {site}: BuildOptions,
): readonly string[] {
  if (given !== undefined && given.length > 0) return given;
  return ofSite.map((path) => resolve(dirname(site ?? ''), path));
}

function sayWhomItTrusts(keys: readonly UpdateKey[], log: Log): void {
  for (const {name, sha256} of keys)
    log.info(`updates may be signed with ${name} (SHA-256 ${sha256.slice(0, 16)}...)`);
  if (keys.length === 0)
    log.warn(
      'the release trusts no update key: its hosts will refuse every update (see caisson keys, --update-key)',
    );
}

/** Labels are part of what names a build, so they do not depend on where a site's files lie. */
async function overlaysOf({rootDir, site}: BuildOptions): Promise<OverlaySource[]> {
  const own = {label: 'overlays/os', directory: join(rootDir, 'overlays/os')};
  if (site === undefined) return [own];
  const directory = join(dirname(site), basename(site, extname(site)));
  return (await pathExists(directory)) ? [own, {label: 'site', directory}] : [own];
}

async function readOrMakeLock(
  definition: Definition,
  {lockFile, cacheDir, log, signal}: BuildOptions,
  world: {scratchDir: string; getMirror: () => Promise<Mirror>; getHttp: () => Promise<HttpClient>},
): Promise<PackageLock> {
  if (lockFile === undefined) {
    const http = await world.getHttp();
    return resolvePackages(definition, await world.getMirror(), {
      cacheDir,
      scratchDir: world.scratchDir,
      http,
      log,
      signal,
    });
  }
  const lock = parseLock(await readFile(lockFile, 'utf8'), lockFile);
  requireSameRequest(lock, {requested: requestOf(definition), suites: definition.suites}, lockFile);
  return lock;
}
