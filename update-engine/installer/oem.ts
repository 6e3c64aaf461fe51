/**
 * The OEM file system as a file: what the operator gives the machine for its first boot. Made by mkfs.ext4 without a
 * mount, before the disk is touched, so that what does not fit costs nothing.
 */
import {chmod, copyFile, lstat, mkdir, readFile, readdir, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PARTITIONS} from '../../formats/disk-layout.ts';
import {checkIgnitionConfig} from '../../formats/ignition/check-config.ts';
import {MAX_IGNITION_BYTES} from '../../formats/ignition/read-config.ts';
import {formatServer} from '../../formats/update-conf-values.ts';
import {formatBytes} from '../../formats/units.ts';
import {ExecError, exec} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {InstallerError} from './errors.ts';
import type {Followed} from './origin.ts';

/** Where the first boot looks on OEM. */
const IGNITION_FILE = 'config.ign';
/** A layer of the host's update.conf. */
const CONF_FILE = 'update.conf';
/** What says whose machine this is; the engine tells it to the update server. */
const OEM_RELEASE_FILE = 'oem-release';
/** Journal and tables of the file system take the rest. */
const MAX_CONTENT_BYTES = 96 * 1024 * 1024;
const MAX_FILES = 10_000;
const OEM_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const MKFS_TIMEOUT_MS = 120_000;

export interface OemContent {
  /** Path of a config for Ignition; null for none. */
  ignition: string | null;
  /** A folder whose content is copied, or the name of a platform; null for neither. */
  oem: string | null;
  /** Whom the host is to ask for updates; null leaves it to the release. */
  follows: Followed | null;
}

/**
 * Reads and checks the config. Returns what speaks for a second look. Throws InstallerError 'bad-config' with every
 * finding that is an error, IgnitionError for what is no config.
 */
export async function checkConfig(path: string): Promise<readonly string[]> {
  const data = await readFile(path);
  if (data.length > MAX_IGNITION_BYTES)
    throw new InstallerError(
      'bad-config',
      `${path} has ${data.length} bytes, more than ${MAX_IGNITION_BYTES}`,
    );
  const findings = checkIgnitionConfig(data, path);
  const lineOf = ({line, column, text}: (typeof findings)[number]): string =>
    `${path}:${line}:${column}: ${text}`;
  const errors = findings.filter(({kind}) => kind === 'error').map(lineOf);
  if (errors.length > 0)
    throw new InstallerError('bad-config', errors.join('\n'), {
      hint: 'nothing was written; caisson config validate says the same',
    });
  return findings.map(lineOf);
}

/** Makes the file system in `folder`, which is empty. Returns its path. Throws InstallerError, ExecError. */
export async function makeOemImage(
  folder: string,
  {ignition, oem, follows}: OemContent,
  signal: AbortSignal,
): Promise<string> {
  const [tree, image] = [join(folder, 'oem'), join(folder, 'oem.img')];
  await mkdir(tree, {mode: 0o755});
  if (oem !== null) await addOem(tree, oem);
  // What the operator brings is his own word on it.
  if (follows !== null && !(await pathExists(join(tree, CONF_FILE))))
    await writeFile(
      join(tree, CONF_FILE),
      `SERVER=${formatServer(follows.server)}\nGROUP=${follows.channel}\n`,
    );
  if (ignition !== null) {
    const path = join(tree, IGNITION_FILE);
    await copyFile(ignition, path);
    // It may hold hashes of passwords.
    await chmod(path, 0o600);
  }
  await writeFile(image, '');
  await truncate(image, PARTITIONS.oem.bytes);
  // 4096 fits disks with sectors of either size. Nothing is put off to the first mount.
  const options = ['-E', 'lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0'];
  try {
    await exec(
      ['mkfs.ext4', '-q', '-F', '-b', '4096', '-L', PARTITIONS.oem.label, '-d', tree, ...options, image],
      {
        signal,
        timeoutMs: MKFS_TIMEOUT_MS,
      },
    );
  } catch (error) {
    if (error instanceof ExecError && error.code === 'not-found')
      throw new InstallerError('refused', 'mkfs.ext4 is missing, which makes the OEM file system', {
        hint: 'install the package e2fsprogs; nothing was written',
      });
    throw error;
  }
  return image;
}

async function addOem(tree: string, oem: string): Promise<void> {
  const info = await lstat(oem).catch(() => null);
  if (info?.isDirectory() === true) {
    const total = {bytes: 0, files: 0};
    await copyTree(oem, tree, total);
    return;
  }
  if (info !== null || !OEM_NAME.test(oem))
    throw new InstallerError('bad-config', `-o ${oem}: neither a folder nor the name of a platform`, {
      hint: 'a name has small letters, digits, dot, dash and underscore',
    });
  await writeFile(join(tree, OEM_RELEASE_FILE), `ID=${oem}\n`);
}

/** Plain files and folders only: a link could lead anywhere on the machine that will read it. */
async function copyTree(from: string, to: string, total: {bytes: number; files: number}): Promise<void> {
  for (const name of (await readdir(from)).sort()) {
    const [source, target] = [join(from, name), join(to, name)];
    const info = await lstat(source);
    total.files += 1;
    if (info.isDirectory()) {
      await mkdir(target, {mode: info.mode & 0o777});
      await copyTree(source, target, total);
    } else if (info.isFile()) {
      total.bytes += info.size;
      if (total.bytes <= MAX_CONTENT_BYTES && total.files <= MAX_FILES) await copyFile(source, target);
    } else throw new InstallerError('bad-config', `${source} is neither a file nor a folder`);
    if (total.bytes > MAX_CONTENT_BYTES || total.files > MAX_FILES)
      throw new InstallerError(
        'bad-config',
        `what goes to OEM has more than ${formatBytes(MAX_CONTENT_BYTES)} or ${MAX_FILES} files`,
      );
  }
}
