/**
 * apt as a solver only: a private state directory with an empty package database, so that the answer depends on the
 * archive's indexes and the request, never on what this machine has installed.
 */
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {parseDeb822} from '../formats/deb822.ts';
import {CodedError} from '../formats/errors.ts';
import {type Argv, ExecError, exec} from '../platform/exec.ts';
import type {LockedPackage} from './lock.ts';

export class AptError extends CodedError<'no-such-package' | 'unsolvable' | 'bad-index' | 'update-failed'> {}

const ARCHITECTURE = 'amd64';

export interface Apt {
  /** Fetches the indexes of the sources; their signatures are checked by apt against the Debian keyring. */
  update(): Promise<void>;
  /** Everything that installing `names` beside the Essential packages brings in. */
  solve(names: readonly string[]): Promise<LockedPackage[]>;
  /** These packages alone, without what they depend on. */
  show(names: readonly string[]): Promise<LockedPackage[]>;
  /** The first real package in the Depends of a meta package, for example the kernel behind linux-image-amd64. */
  resolveMeta(name: string): Promise<string>;
}

export async function createApt(directory: string, sources: string, signal: AbortSignal): Promise<Apt> {
  await mkdir(join(directory, 'lists', 'partial'), {recursive: true});
  await mkdir(join(directory, 'archives', 'partial'), {recursive: true});
  await writeFile(join(directory, 'sources.list'), sources);
  await writeFile(join(directory, 'status'), '');
  const settings: Record<string, string> = {
    'Dir::State': directory,
    'Dir::State::lists': join(directory, 'lists'),
    'Dir::State::status': join(directory, 'status'),
    'Dir::Cache': directory,
    'Dir::Cache::archives': join(directory, 'archives'),
    'Dir::Etc::SourceList': join(directory, 'sources.list'),
    'Dir::Etc::SourceParts': '-',
    'Dir::Etc::Preferences': '-',
    'Dir::Etc::PreferencesParts': '-',
    'Dir::Log': directory,
    'APT::Architecture': ARCHITECTURE,
    'APT::Architectures': ARCHITECTURE,
    'APT::Install-Recommends': 'false',
    'APT::Install-Suggests': 'false',
    'APT::Sandbox::User': 'root',
    // apt counts itself as Essential; an image has no use for it.
    'pkgCacheGen::ForceEssential': ',',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);

  async function run(tool: 'apt-get' | 'apt-cache', args: readonly string[]): Promise<string> {
    const argv: Argv = [tool, ...options, ...args];
    return (await exec(argv, {signal, env: {LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive'}})).stdout;
  }

  async function show(names: readonly string[]): Promise<LockedPackage[]> {
    if (names.length === 0) return [];
    const output = await run('apt-cache', ['show', '--no-all-versions', ...names]);
    return parseDeb822(output).map(toLockedPackage);
  }

  return {
    async update() {
      try {
        await run('apt-get', ['update', '-q']);
      } catch (error) {
        throw new AptError('update-failed', 'apt could not fetch the indexes of the mirror', {
          cause: error,
          retryable: true,
        });
      }
    },
    async solve(names) {
      let output: string;
      try {
        output = await run('apt-get', ['install', '--simulate', '-q', '?essential', ...names]);
      } catch (error) {
        throw explainSolverError(error);
      }
      const chosen = [...output.matchAll(/^Inst (\S+) \((\S+) /gm)].map((match) => `${match[1]}=${match[2]}`);
      return show(chosen);
    },
    show,
    async resolveMeta(name) {
      const [stanza] = parseDeb822(await run('apt-cache', ['show', '--no-all-versions', name]));
      const target = /^([a-z0-9][a-z0-9+.-]+)/.exec(stanza?.get('Depends') ?? '')?.[1];
      if (target === undefined)
        throw new AptError('bad-index', `package ${name} depends on nothing; expected a meta package`);
      return target;
    },
  };
}

function toLockedPackage(stanza: ReadonlyMap<string, string>): LockedPackage {
  function field(name: string): string {
    const value = stanza.get(name);
    if (value === undefined)
      throw new AptError('bad-index', `package ${stanza.get('Package') ?? '?'} has no ${name} in the index`);
    return value;
  }
  const name = field('Package');
  const version = field('Version');
  const [, source = name, sourceVersion = version] =
    /^(\S+)(?: \((\S+)\))?$/.exec(stanza.get('Source') ?? name) ?? [];
  return {
    name,
    version,
    architecture: field('Architecture'),
    sha256: field('SHA256'),
    bytes: Number(field('Size')),
    filename: field('Filename'),
    archive: 'main',
    source,
    sourceVersion,
  };
}

function explainSolverError(error: unknown): unknown {
  if (!(error instanceof ExecError) || error.code !== 'failed') return error;
  const missing = [
    ...error.stderr.matchAll(/Unable to locate package (\S+)|Package '(\S+)' has no installation candidate/g),
  ].map((match) => match[1] ?? match[2] ?? '?');
  if (missing.length > 0) {
    return new AptError('no-such-package', `Debian has no package ${missing.join(', ')}`, {
      hint: 'check the spelling in packages.include, and that the package is in component main of the suites',
    });
  }
  return new AptError('unsolvable', 'apt found no set of packages that fits together', {cause: error});
}
