/**
 * Which kernel modules an initrd or a pruned tree must hold: the files that depmod writes, and the closure over them.
 *
 * Hard dependencies (modules.dep) must be met; soft ones (modules.softdep) are taken along when they exist, as
 * modprobe does. Soft ones are often named by alias ("crypto-crc32c"), so the literal aliases of modules.alias are
 * read too; patterns such as `pci:v00008086*` describe hardware and are not ours to resolve.
 *
 * Formats: modules.dep(5), modprobe.d(5), depmod(8).
 */
import {CodedError} from './errors.ts';

export type KernelModulesErrorCode = 'bad-line' | 'too-large' | 'unknown-module' | 'cycle';
export class KernelModulesError extends CodedError<KernelModulesErrorCode> {}

/** Names in every field are in the kernel's form, with `_` for `-`. */
export interface ModuleIndex {
  modules: ReadonlyMap<string, {path: string; needs: readonly string[]}>;
  builtin: ReadonlySet<string>;
  soft: ReadonlyMap<string, {pre: readonly string[]; post: readonly string[]}>;
  aliases: ReadonlyMap<string, readonly string[]>;
}

/** The texts of the files of the same names below /usr/lib/modules/VERSION. */
export interface ModuleFiles {
  dep: string;
  builtin: string;
  softdep?: string;
  alias?: string;
}

/** Debian's generic kernel has 0.6 MB of modules.dep and 1.4 MB of modules.alias. */
const MAX_TEXT_LENGTH = 16 * 1024 * 1024;

/** The name that the kernel gives to a module file: without folder, without .ko and compression, `-` as `_`. */
export function moduleName(pathOrName: string): string {
  const base = pathOrName.slice(pathOrName.lastIndexOf('/') + 1);
  return base.replace(/\.ko(\.(xz|gz|zst))?$/, '').replaceAll('-', '_');
}

/** Reads depmod's files. Throws KernelModulesError for a line that is not of their form. */
export function parseModuleIndex(files: ModuleFiles): ModuleIndex {
  return {
    modules: parseModulesDep(files.dep),
    builtin: new Set(contentLines(files.builtin, 'modules.builtin').map(moduleName)),
    soft: parseSoftdep(files.softdep ?? ''),
    aliases: parseAliases(files.alias ?? ''),
  };
}

/** `PATH: PATH PATH`, every path relative to the folder of the file. */
function parseModulesDep(text: string): ModuleIndex['modules'] {
  const modules = new Map<string, {path: string; needs: string[]}>();
  for (const line of contentLines(text, 'modules.dep')) {
    const match = /^([^\s:]+\.ko(?:\.(?:xz|gz|zst))?):((?: [^\s:]+)*)$/.exec(line);
    const path = match?.[1];
    if (path === undefined) throw badLine('modules.dep', line);
    const name = moduleName(path);
    if (modules.has(name)) throw new KernelModulesError('bad-line', `modules.dep lists ${name} twice`);
    modules.set(name, {path, needs: words(match?.[2] ?? '').map(moduleName)});
  }
  for (const {path, needs} of modules.values()) {
    const missing = needs.find((need) => !modules.has(need));
    if (missing !== undefined) {
      throw new KernelModulesError(
        'unknown-module',
        `${path} needs ${missing}, which modules.dep does not list`,
      );
    }
  }
  return modules;
}

/** `softdep NAME pre: A B post: C`; words before `pre:` or `post:` have no meaning to kmod, nor here. */
function parseSoftdep(text: string): ModuleIndex['soft'] {
  const soft = new Map<string, {pre: string[]; post: string[]}>();
  for (const line of contentLines(text, 'modules.softdep')) {
    const [keyword, name, ...rest] = words(line);
    if (keyword !== 'softdep' || name === undefined) throw badLine('modules.softdep', line);
    const entry = soft.get(moduleName(name)) ?? {pre: [], post: []};
    soft.set(moduleName(name), entry);
    let list: string[] | undefined;
    for (const word of rest) {
      if (word === 'pre:') list = entry.pre;
      else if (word === 'post:') list = entry.post;
      else list?.push(moduleName(word));
    }
  }
  return soft;
}

/** `alias PATTERN NAME`; an alias may stand for several modules. */
function parseAliases(text: string): ModuleIndex['aliases'] {
  const aliases = new Map<string, string[]>();
  for (const line of contentLines(text, 'modules.alias')) {
    const match = /^alias (\S+(?: \S+)*) (\S+)$/.exec(line);
    const [, pattern, target] = match ?? [];
    if (pattern === undefined || target === undefined) throw badLine('modules.alias', line);
    if (/[*?[\s]/.test(pattern)) continue;
    const targets = aliases.get(moduleName(pattern)) ?? [];
    targets.push(moduleName(target));
    aliases.set(moduleName(pattern), targets);
  }
  return aliases;
}

export interface ModuleClosure {
  /** Paths as modules.dep has them, each after everything it needs: an order in which insmod works. */
  paths: string[];
  /** Modules of the closure that are part of the kernel image. */
  builtin: string[];
  /** Soft dependencies that this kernel does not have in any form; modprobe passes over them too. */
  absentSoft: string[];
}

/**
 * Everything that the wanted modules (names, with `-` or `_`, or literal aliases) need. The result depends on the
 * set of wanted names, not on their order. Throws KernelModulesError 'unknown-module' naming all that are neither a
 * file nor built in.
 */
export function closeModules(index: ModuleIndex, wanted: Iterable<string>): ModuleClosure {
  const roots = [...new Set([...wanted].map(moduleName))].sort();
  const unknown = roots.filter((name) => resolve(index, name).length === 0);
  if (unknown.length > 0) {
    const names = unknown.join(', ');
    throw new KernelModulesError('unknown-module', `neither a module file nor built in: ${names}`);
  }
  const members = new Set<string>();
  const softEdges: {first: string; then: string}[] = [];
  const absentSoft = new Set<string>();
  const queue = roots.flatMap((name) => resolve(index, name));
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (members.has(name)) continue;
    members.add(name);
    const here = name;
    queue.push(...(index.modules.get(here)?.needs ?? []));
    const {pre = [], post = []} = index.soft.get(here) ?? {};
    for (const soft of [...pre, ...post]) {
      const found = resolve(index, soft);
      if (found.length === 0) absentSoft.add(soft);
      queue.push(...found);
    }
    softEdges.push(...pre.flatMap((soft) => resolve(index, soft)).map((first) => ({first, then: here})));
    softEdges.push(...post.flatMap((soft) => resolve(index, soft)).map((then) => ({first: here, then})));
  }
  const ordered = orderModules(index, [...members].sort(), softEdges);
  return {
    paths: ordered.flatMap((name) => index.modules.get(name)?.path ?? []),
    builtin: ordered.filter((name) => !index.modules.has(name)),
    absentSoft: [...absentSoft].sort(),
  };
}

/** A name is a module first, then built in, then an alias: the order of kmod's lookup. */
function resolve(index: ModuleIndex, name: string): readonly string[] {
  const isKnown = (one: string): boolean => index.modules.has(one) || index.builtin.has(one);
  return isKnown(name) ? [name] : (index.aliases.get(name) ?? []).filter(isKnown);
}

/** Hard edges rule; a soft edge counts unless it would close a circle. */
function orderModules(
  index: ModuleIndex,
  members: readonly string[],
  softEdges: readonly {first: string; then: string}[],
): string[] {
  const before = new Map(members.map((name) => [name, new Set(index.modules.get(name)?.needs ?? [])]));
  const reaches = (from: string, to: string): boolean => {
    const seen = new Set([from]);
    for (const name of seen) {
      if (name === to) return true;
      for (const next of before.get(name) ?? []) seen.add(next);
    }
    return false;
  };
  const sorted = [...softEdges].sort((a, b) => compare(a.then, b.then) || compare(a.first, b.first));
  for (const {first, then} of sorted) if (!reaches(first, then)) before.get(then)?.add(first);

  const done = new Set<string>();
  const open = new Set<string>();
  // A stack of its own: a chain of modules may be longer than the call stack is deep.
  for (const stack = [...members].reverse(); stack.length > 0;) {
    const name = stack.at(-1) ?? '';
    const firsts = [...(before.get(name) ?? [])].filter((first) => !done.has(first)).sort();
    if (done.has(name) || firsts.length === 0) {
      open.delete(name);
      done.add(name);
      stack.pop();
      continue;
    }
    if (open.has(name))
      throw new KernelModulesError('cycle', `modules need each other: ${firsts.join(', ')}, ${name}`);
    open.add(name);
    stack.push(...firsts.reverse());
  }
  return [...done];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function contentLines(text: string, file: string): string[] {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new KernelModulesError(
      'too-large',
      `${file} has ${text.length} characters, at most ${MAX_TEXT_LENGTH}`,
    );
  }
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function words(line: string): string[] {
  return line.split(/[ \t]+/).filter((word) => word !== '');
}

function badLine(file: string, line: string): KernelModulesError {
  return new KernelModulesError('bad-line', `${file} has the line ${JSON.stringify(line.slice(0, 200))}`);
}
