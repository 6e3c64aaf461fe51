/**
 * Where user data comes from, in order; the first source that has a config or a script counts, alone, as of old. Data
 * for Ignition, and none at all, count as nothing: the next source is asked.
 */
import {mkdir, readFile, stat} from 'node:fs/promises';
import {resolve} from 'node:path';
import {
  MAX_USER_DATA_BYTES,
  type UserData,
  UserDataError,
  readUserData,
} from '../../formats/cloud-config/user-data.ts';
import {kernelArgument} from '../../formats/kernel-arguments.ts';
import {pathExists} from '../../platform/files.ts';
import {fetchPatiently} from './fetch.ts';
import {CLOUD_PATHS, type CloudHost, onHost} from './host.ts';
import {HOST_ORIGIN, type RecordStore} from './record.ts';

export interface FoundData {
  /** In words: a path, an address, a device. */
  readonly where: string;
  /** Whose it is: see record.ts. */
  readonly origin: string;
  readonly bytes: Uint8Array;
  readonly data: UserData;
}

export interface Search {
  readonly found: FoundData | null;
  readonly notes: readonly string[];
}

/** Names in QEMU's firmware configuration device. The first is that of CoreOS, which Ignition reads as well. */
const FIRMWARE_NAMES = ['opt/com.coreos/config', 'opt/org.caisson/cloud-config'];
/** OpenStack's config drive, version 2. */
const DRIVE_FILE = 'openstack/latest/user_data';
const MOUNT_TIMEOUT_MS = 60_000;

/** Throws UserDataError, HttpError: a source that is there and cannot be read is not passed over. */
export async function findUserData(host: CloudHost, store: RecordStore): Promise<Search> {
  const notes: string[] = [];
  const sources = [
    () => fromCommandLine(host, store, notes),
    ...FIRMWARE_NAMES.map((name) => () => fromFile(host, `${CLOUD_PATHS.firmware}/${name}/raw`)),
    () => fromDrive(host),
    () => fromFile(host, CLOUD_PATHS.oem),
    () => fromFile(host, CLOUD_PATHS.userData),
  ];
  for (const read of sources) {
    const raw = await read();
    if (raw === null) continue;
    const data = readUserData(raw.bytes, raw.where);
    if (data.kind === 'cloud-config' || data.kind === 'script')
      return {found: {...raw, origin: HOST_ORIGIN, data}, notes};
    notes.push(
      data.kind === 'empty'
        ? `${raw.where} is empty`
        : `${raw.where} has a config for Ignition, which is left to it`,
    );
  }
  return {found: null, notes};
}

interface Raw {
  readonly where: string;
  readonly bytes: Uint8Array;
}

/** A file that the operator named. */
export async function readNamed(host: CloudHost, place: string): Promise<FoundData> {
  if (/^https?:\/\//.test(place)) {
    await host.waitForNetwork();
    const bytes = await fetchPatiently(host, place, MAX_USER_DATA_BYTES);
    return {where: place, origin: place, bytes, data: readUserData(bytes, place)};
  }
  const bytes = await readBounded(place, place);
  const path = resolve(place);
  const origin = path === onHost(host, CLOUD_PATHS.userData) ? HOST_ORIGIN : path;
  return {where: place, origin, bytes, data: readUserData(bytes, place)};
}

async function fromFile(host: CloudHost, path: string): Promise<Raw | null> {
  const full = onHost(host, path);
  return (await pathExists(full)) ? {where: path, bytes: await readBounded(full, path)} : null;
}

async function readBounded(path: string, where: string): Promise<Uint8Array> {
  const {size} = await stat(path);
  if (size > MAX_USER_DATA_BYTES)
    throw new UserDataError(
      'too-large',
      `${where}: ${size} bytes of user data, more than ${MAX_USER_DATA_BYTES}`,
    );
  return readFile(path);
}

/** What an address gave is kept, and stands in when it gives nothing: a host must come up as it was without it. */
async function fromCommandLine(host: CloudHost, store: RecordStore, notes: string[]): Promise<Raw | null> {
  const text = await readFile(onHost(host, CLOUD_PATHS.commandLine), 'utf8').catch(() => '');
  const url = kernelArgument(text, 'cloud-config-url');
  if (url === null) return null;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UserDataError(
      'unknown-kind',
      `cloud-config-url=${url.slice(0, 200)} is no http or https address`,
    );
  await host.waitForNetwork();
  try {
    const bytes = await fetchPatiently(host, url, MAX_USER_DATA_BYTES);
    await store.keep(`url ${url}`, bytes);
    return {where: url, bytes};
  } catch (error) {
    const kept = await store.kept(`url ${url}`);
    if (kept === null) throw error;
    notes.push(`${error instanceof Error ? error.message : String(error)}; what it gave last time is used`);
    return {where: `${url} (of last time)`, bytes: kept};
  }
}

/** Mounted for the moment of reading only, and never so that anything on it could run. */
async function fromDrive(host: CloudHost): Promise<Raw | null> {
  for (const device of CLOUD_PATHS.driveLabels) {
    if (!(await pathExists(onHost(host, device)))) continue;
    const mount = onHost(host, CLOUD_PATHS.driveMount);
    await mkdir(mount, {recursive: true, mode: 0o700});
    await host.exec(['mount', '--options', 'ro,nodev,nosuid,noexec', '--', device, mount], {
      timeoutMs: MOUNT_TIMEOUT_MS,
    });
    try {
      const path = `${mount}/${DRIVE_FILE}`;
      const where = `${DRIVE_FILE} on ${device}`;
      return (await pathExists(path)) ? {where, bytes: await readBounded(path, where)} : null;
    } finally {
      await host.exec(['umount', '--', mount], {timeoutMs: MOUNT_TIMEOUT_MS});
    }
  }
  return null;
}
