/**
 * A tree from exactly the locked packages, by mmdebstrap with real maintainer scripts. Both trees are made here: the
 * tools tree by the host's mmdebstrap, the operating system's by the one inside the tools tree.
 */
import {chmod, mkdir, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {Argv} from '../platform/exec.ts';
import type {LockedPackage} from './lock.ts';
import {type PackageCache, fetchPackages, makeLocalRepository} from './packages.ts';

export interface BootstrapOptions {
  packages: readonly LockedPackage[];
  /** The tar that comes out. */
  out: string;
  /** A directory of the scratch file system that this call may fill and removes again. */
  workDir: string;
  /** Seconds since 1970; no time stamp in the tar is later. */
  sourceDate: number;
  /** sysusers.d lines whose accounts exist, with their fixed numbers, before any other package is configured. */
  users?: string;
  run: (
    argv: Argv,
    options: {env: Record<string, string>; onLine: (line: string) => void},
  ) => Promise<unknown>;
  onNote: (text: string) => void;
}

/** The suite name of the local repository; packages of all suites lie in it. */
const LOCAL_SUITE = 'local';

/**
 * What a package's scripts make at random or take from this machine must not be in any image: above all no ssh host
 * keys, which all hosts would share. mmdebstrap calls it with the tree's path.
 */
const FORGET_HOOK = [
  'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf',
  ': > "$1"/etc/apt/sources.list',
  // Python's byte code holds times of its own.
  'find "$1"/usr -name __pycache__ -prune -exec rm -rf {} +',
].join('; ');

export async function bootstrap(cache: PackageCache, options: BootstrapOptions): Promise<void> {
  const {packages, out, workDir, sourceDate} = options;
  await fetchPackages(cache, packages);
  const repository = join(workDir, 'repository');
  await makeLocalRepository(cache, packages, repository, LOCAL_SUITE);
  const hook = options.users === undefined ? undefined : await writeUsersHook(workDir, options.users);
  const temporary = join(workDir, 'tmp');
  await mkdir(temporary);
  let done = 0;
  await options.run(
    [
      'mmdebstrap',
      // Root of our own namespace in every case; see platform/namespace.ts.
      '--mode=root',
      '--variant=essential',
      '--architectures=amd64',
      `--include=${packages.map(({name}) => name).join(',')}`,
      '--aptopt=Acquire::Languages "none"',
      '--aptopt=APT::Sandbox::User "root"',
      '--dpkgopt=force-unsafe-io',
      ...(hook === undefined ? [] : [`--essential-hook=${hook}`]),
      `--customize-hook=${FORGET_HOOK}`,
      LOCAL_SUITE,
      out,
      `deb [trusted=yes] copy:${repository} ${LOCAL_SUITE} main`,
    ],
    {
      env: {SOURCE_DATE_EPOCH: String(sourceDate), TMPDIR: temporary},
      onLine: (line) => {
        if (/^(Unpacking|Setting up) /.test(line))
          options.onNote(`${(done += 1)} of ${packages.length * 2}: ${line}`);
      },
    },
  );
  await rm(workDir, {recursive: true, force: true});
}

async function writeUsersHook(workDir: string, users: string): Promise<string> {
  const [list, hook] = [join(workDir, 'users.conf'), join(workDir, 'make-users')];
  await writeFile(list, users);
  // mmdebstrap calls it with the tree's path; quoting is safe because the list lies beside the script.
  await writeFile(hook, '#!/bin/sh\nexec systemd-sysusers --root="$1" "$(dirname "$0")/users.conf"\n');
  await chmod(hook, 0o755);
  return hook;
}
