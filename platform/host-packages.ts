/**
 * Programs of the host that the project needs, and the Debian packages they come in. Everything that shapes bytes is
 * in the tools tree instead; see build/toolbox.ts.
 */
import {access, constants} from 'node:fs/promises';
import {delimiter, join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {exec} from './exec.ts';

export class HostPackageError extends CodedError<'missing-programs'> {}

export interface HostProgram {
  /** A name to look for in PATH, or the absolute path of a file. */
  program: string;
  package: string;
}

export const BUILD_PROGRAMS: readonly HostProgram[] = [
  {program: 'mmdebstrap', package: 'mmdebstrap'},
  {program: 'dpkg-deb', package: 'dpkg'},
  {program: 'apt-get', package: 'apt'},
  {program: '/usr/share/keyrings/debian-archive-keyring.gpg', package: 'debian-archive-keyring'},
  {program: 'unshare', package: 'util-linux'},
  {program: 'mount', package: 'mount'},
  {program: 'newuidmap', package: 'uidmap'},
];

export const RUN_PROGRAMS: readonly HostProgram[] = [
  {program: 'qemu-system-x86_64', package: 'qemu-system-x86'},
  {program: 'qemu-img', package: 'qemu-utils'},
  {program: '/usr/share/OVMF/OVMF_CODE_4M.fd', package: 'ovmf'},
  {program: 'ssh', package: 'openssh-client'},
];

/** Independent tools that the tests hold our formats against. */
export const TEST_PROGRAMS: readonly HostProgram[] = [
  {program: 'cgpt', package: 'cgpt'},
  {program: 'sgdisk', package: 'gdisk'},
  {program: 'sfdisk', package: 'fdisk'},
  {program: 'mcopy', package: 'mtools'},
  {program: 'mkfs.vfat', package: 'dosfstools'},
  {program: 'cpio', package: 'cpio'},
  {program: 'fsck.erofs', package: 'erofs-utils'},
  {program: 'veritysetup', package: 'cryptsetup-bin'},
  {program: 'gcc', package: 'gcc'},
  {program: 'objdump', package: 'binutils'},
  {program: '/usr/include/efi/efi.h', package: 'gnu-efi'},
  {program: '/usr/include/stdio.h', package: 'libc6-dev'},
  {program: 'zstd', package: 'zstd'},
  {program: 'openssl', package: 'openssl'},
  {program: '/bin/busybox', package: 'busybox-static'},
  {program: 'ar', package: 'binutils'},
  {program: 'protoc', package: 'protobuf-compiler'},
  {program: 'xz', package: 'xz-utils'},
  {program: 'bzip2', package: 'bzip2'},
  {program: 'bsdiff', package: 'bsdiff'},
  {program: 'xorriso', package: 'xorriso'},
  {program: 'dnsmasq', package: 'dnsmasq-base'},
  {program: 'ip', package: 'iproute2'},
  {program: '/usr/lib/postgresql', package: 'postgresql'},
  {program: 'chromium', package: 'chromium'},
];

/** Directories that an ordinary user's PATH may lack. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export async function findMissing(programs: readonly HostProgram[], path: string): Promise<HostProgram[]> {
  const directories = [...path.split(delimiter), ...SYSTEM_DIRECTORIES];
  const found = await Promise.all(
    programs.map(async ({program}) => {
      const places = program.startsWith('/')
        ? [program]
        : directories.map((directory) => join(directory, program));
      const checks = await Promise.all(places.map(isThere));
      return checks.includes(true);
    }),
  );
  return programs.filter((_, index) => found[index] !== true);
}

/** Throws HostPackageError with the one command that installs what is missing. */
export async function requirePrograms(programs: readonly HostProgram[], path: string): Promise<void> {
  const missing = await findMissing(programs, path);
  if (missing.length === 0) return;
  const names = missing.map(({program}) => program).join(', ');
  throw new HostPackageError('missing-programs', `this machine lacks ${names}`, {
    hint: `run: ${missing.some(needsRoot) ? 'sudo ' : ''}apt-get install --no-install-recommends ${packageNames(missing).join(' ')}`,
  });
}

/** Installs what is missing when this is root, else throws HostPackageError with the command to run. */
export async function installMissing(
  programs: readonly HostProgram[],
  options: {
    path: string;
    isRoot: boolean;
    onInstall: (packages: readonly string[]) => void;
    onLine: (line: string) => void;
  },
): Promise<void> {
  const missing = await findMissing(programs, options.path);
  if (missing.length === 0) return;
  if (!options.isRoot) return requirePrograms(programs, options.path);
  const packages = packageNames(missing);
  options.onInstall(packages);
  const env = {DEBIAN_FRONTEND: 'noninteractive'};
  await exec(['apt-get', 'update', '--quiet'], {env, onLine: options.onLine});
  await exec(['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', ...packages], {
    env,
    onLine: options.onLine,
  });
  await requirePrograms(programs, options.path);
}

function packageNames(programs: readonly HostProgram[]): string[] {
  return [...new Set(programs.map((entry) => entry.package))].sort();
}

function needsRoot(): boolean {
  return process.getuid?.() !== 0;
}

async function isThere(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
