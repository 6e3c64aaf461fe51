/**
 * Work that a general-purpose system does on its first boot and whose result is the same on every host: linker cache,
 * message catalogue, enabled units. Doing it here makes the first boot as quick as the others. (The hardware database
 * needs nothing: udev's package compiled it.)
 */
import {mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import {type OsRelease, encodeOsRelease} from '../../formats/os-release.ts';
import {parseTmpfiles} from '../../formats/tmpfiles.ts';
import {pathExists, walkTree} from '../../platform/files.ts';
import type {Definition} from '../definition.ts';
import type {Toolbox} from '../toolbox.ts';

/** The lower layer of the host's /etc. */
export const ETC_LOWER = 'usr/share/caisson/etc';
const CATALOG = 'var/lib/systemd/catalog/database';
const CATALOG_IN_USR = 'usr/share/caisson/catalog.database';

export class FinishError extends CodedError<'no-such-unit'> {}

export interface FinishOptions {
  tree: string;
  definition: Definition;
  osRelease: OsRelease;
  /** Seconds since 1970. */
  sourceDate: number;
  toolbox: Toolbox;
}

export async function finishTree(options: FinishOptions): Promise<void> {
  const {tree, toolbox} = options;
  await writeFile(join(tree, 'usr/lib/os-release'), encodeOsRelease(options.osRelease));
  await enableUnits(tree, options.definition, toolbox);
  await toolbox.run(['ldconfig', '-r', tree]);
  await toolbox.run(['journalctl', `--root=${tree}`, '--update-catalog']);
  await mkdir(join(tree, dirname(CATALOG_IN_USR)), {recursive: true});
  await rename(join(tree, CATALOG), join(tree, CATALOG_IN_USR));
}

/** What maintainer scripts switched on is forgotten before the overlays come: presets decide alone. */
export async function forgetEnablement(tree: string): Promise<void> {
  const units = join(tree, 'etc/systemd/system');
  for (const name of await readdir(units)) await rm(join(units, name), {recursive: true});
}

async function enableUnits(tree: string, definition: Definition, toolbox: Toolbox): Promise<void> {
  const presets = join(tree, 'usr/lib/systemd/system-preset');
  for (const unit of [...definition.enable, ...definition.disable]) {
    const file = unit.replace(/@[^.]*\./, '@.');
    const places = ['usr/lib/systemd/system', 'etc/systemd/system'].map((home) => join(tree, home, file));
    if (!(await Promise.all(places.map(pathExists))).includes(true)) {
      throw new FinishError('no-such-unit', `there is no unit ${unit} to enable or disable`, {
        hint: 'check the name, and that the package or the overlay with the unit is part of the build',
      });
    }
  }
  const lines = [
    ...definition.disable.map((unit) => `disable ${unit}`),
    ...definition.enable.map((unit) => `enable ${unit}`),
  ];
  if (lines.length > 0) await writeFile(join(presets, '05-site.preset'), `${lines.join('\n')}\n`);
  await toolbox.run(['systemctl', `--root=${tree}`, 'preset-all']);
}

/** Moves /etc to where the overlay of the running system looks for it, marked as made for exactly this /usr. */
export async function moveEtc(tree: string, sourceDate: number): Promise<void> {
  const marker = join(tree, 'etc/.updated');
  await writeFile(marker, '');
  await mkdir(join(tree, dirname(ETC_LOWER)), {recursive: true});
  await rename(join(tree, 'etc'), join(tree, ETC_LOWER));
  await utimes(join(tree, ETC_LOWER, '.updated'), sourceDate, sourceDate);
}

/**
 * What packages put below /var becomes tmpfiles.d lines, because /var of a host is its own: directories are made with
 * the same owner and mode, files are copied from /usr when they are missing.
 */
export async function describeState(tree: string, toolbox: Toolbox): Promise<void> {
  const {stdout} = await toolbox.run([
    'find',
    join(tree, 'var'),
    '-mindepth',
    '1',
    '-printf',
    '%y %m %U %G /var/%P\\t%l\\n',
  ]);
  const declared = await declaredPaths(tree);
  const lines = ['# What the packages of this image keep below /var; written by the build.'];
  for (const line of stdout.trimEnd().split('\n').sort()) {
    const match = /^(\S) (\d+) (\d+) (\d+) (\S+)\t(.*)$/.exec(line);
    if (match === null) continue;
    const [, kind, mode, uid, gid, path = '', link] = match;
    if (declared.has(path)) continue;
    if (kind === 'd') lines.push(`d ${path} ${mode?.padStart(4, '0')} ${uid} ${gid} -`);
    else if (kind === 'l') lines.push(`L ${path} - - - - ${link}`);
    else if (kind === 'f') {
      const kept = join(tree, 'usr/share/caisson', path);
      await mkdir(dirname(kept), {recursive: true});
      await toolbox.run(['cp', '--archive', join(tree, path), kept]);
      lines.push(`C ${path} - - - - /usr/share/caisson${path}`);
    }
  }
  await writeFile(join(tree, 'usr/lib/tmpfiles.d/caisson-packages.conf'), `${lines.join('\n')}\n`);
}

/** Paths that a tmpfiles.d file of a package or an overlay speaks of. */
async function declaredPaths(tree: string): Promise<Set<string>> {
  const home = join(tree, 'usr/lib/tmpfiles.d');
  const texts = await Promise.all((await readdir(home)).map((name) => readFile(join(home, name), 'utf8')));
  return new Set(texts.flatMap((text) => parseTmpfiles(text).map(({path}) => path)));
}

/** Private keys and identities in an image would be shared by every host that runs it. */
export async function findSecrets(tree: string): Promise<string[]> {
  const secrets: string[] = [];
  for (const {path, kind} of await walkTree(join(tree, 'etc'))) {
    if (kind !== 'file') continue;
    const full = join(tree, 'etc', path);
    const isIdentity = /^(machine-id|ssh\/ssh_host_.*)$/.test(path) && (await stat(full)).size > 0;
    if (
      isIdentity ||
      /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test((await readFile(full)).subarray(0, 4096).toString('latin1'))
    ) {
      secrets.push(`/etc/${path}`);
    }
  }
  return secrets;
}

/** Programs in a language whose interpreter the image does not have would fail when someone needs them. */
export async function findOrphanScripts(tree: string): Promise<string[]> {
  const orphans: string[] = [];
  for (const directory of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/libexec']) {
    if (!(await pathExists(join(tree, directory)))) continue;
    for (const {path, kind} of await walkTree(join(tree, directory))) {
      if (kind !== 'file' || /\.(ko|so|a|js|service|conf|rules|map)(\.|$)/.test(path)) continue;
      const interpreter = await readInterpreter(join(tree, directory, path));
      if (interpreter !== undefined && !(await pathExists(join(tree, interpreter))))
        orphans.push(`${directory}/${path} (${interpreter})`);
    }
  }
  return orphans;
}

async function readInterpreter(file: string): Promise<string | undefined> {
  const head = (await readFile(file)).subarray(0, 256).toString('latin1');
  const [, program = '', argument = ''] = /^#! ?(\S+) ?(\S*)/.exec(head) ?? [];
  if (program === '') return undefined;
  const path = program.endsWith('/env') ? `/usr/bin/${argument}` : program;
  return path.replace(/^\/(bin|sbin|lib)\//, '/usr/$1/');
}
