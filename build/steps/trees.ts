/** The two trees of packages: the tools that shape bytes, and the operating system as Debian configures it. */
import {createHash} from 'node:crypto';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {exec} from '../../platform/exec.ts';
import {bootstrap} from '../bootstrap.ts';
import type {LockedPackage} from '../lock.ts';
import type {StepContext} from './context.ts';
import type {BuildStep} from './sources.ts';

export const TREE_FILE = 'tree.tar';
export const TOOLS_TREE = 'tools-tree';

export function toolsTreeStep({
  lock,
  packages,
  scratchDir,
  signal,
}: Pick<StepContext, 'lock' | 'packages' | 'scratchDir' | 'signal'>): BuildStep {
  return {
    name: TOOLS_TREE,
    title: 'Installing the build tools',
    needs: [],
    sources: ['build/steps/trees.ts'],
    inputs: () =>
      Promise.resolve({
        'tools in the lock': digestPackages(lock.tools),
        'source date': String(lock.sourceDate),
      }),
    async run(out, progress) {
      await bootstrap(packages, {
        packages: lock.tools,
        out: join(out, TREE_FILE),
        workDir: await makeDirectory(scratchDir, 'tools-bootstrap'),
        sourceDate: lock.sourceDate,
        run: (argv, options) => exec(argv, {...options, signal}),
        onNote: (text) => progress.note(text),
      });
    },
  };
}

/** `users` are the sysusers.d lines that fix the numbers of all accounts. */
export function osTreeStep({lock, packages, scratchDir, toolbox}: StepContext, users: string): BuildStep {
  return {
    name: 'os-tree',
    title: 'Installing the packages of the system',
    needs: [TOOLS_TREE],
    sources: ['build/steps/trees.ts'],
    inputs: () =>
      Promise.resolve({
        'packages in the lock': digestPackages(lock.os),
        'account numbers': createHash('sha256').update(users).digest('hex'),
        'source date': String(lock.sourceDate),
      }),
    async run(out, progress) {
      await bootstrap(packages, {
        packages: lock.os,
        out: join(out, TREE_FILE),
        workDir: await makeDirectory(scratchDir, 'os-bootstrap'),
        sourceDate: lock.sourceDate,
        users,
        run: (argv, options) => toolbox.run(argv, options),
        onNote: (text) => progress.note(text),
      });
    },
  };
}

export function digestPackages(packages: readonly LockedPackage[]): string {
  return createHash('sha256')
    .update(
      packages
        .map(({sha256}) => sha256)
        .sort()
        .join(),
    )
    .digest('hex');
}

async function makeDirectory(parent: string, name: string): Promise<string> {
  const path = join(parent, name);
  await mkdir(path);
  return path;
}
