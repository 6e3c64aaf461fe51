/**
 * The releases in a folder, as far as hosts can be offered them: `VERSION/release.json` with a payload beside it that is
 * whole and for this very release. What the payload's bytes hash to is found out here, once for each file, and not taken
 * from a note beside it, which would be one more thing that can be stale.
 */
import {createHash} from 'node:crypto';
import {type FileHandle, open, readFile, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {PAYLOAD_HEADER_BYTES, decodePayloadHeader, payloadLayout} from '../formats/payload/header.ts';
import {decodeManifest} from '../formats/payload/manifest.ts';
import {formatProduct} from '../formats/payload/product.ts';
import {MAX_RELEASE_BYTES, RELEASE_FILE, type Release, parseRelease} from '../formats/release.ts';
import {compareVersions, isVersion} from '../formats/version.ts';
import {readerOf} from '../platform/files.ts';
import {ServerError} from './errors.ts';
import {type OfferedRelease, PAYLOAD_NAME} from './omaha.ts';

/** Below the directory of a release. */
const PAYLOAD_PATH = join('payload', PAYLOAD_NAME);

export interface ServedRelease extends OfferedRelease {
  readonly path: string;
  /** Of the file that was hashed. */
  readonly identity: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

export type ReleaseState =
  | {readonly kind: 'served'; readonly release: ServedRelease}
  /** It is there and cannot be offered. */
  | {readonly kind: 'unfit'; readonly version: string; readonly reason: string};

export interface ReleaseFolder {
  /** Every release, newest first. Files that have not changed are not read again. */
  scan(signal: AbortSignal): Promise<readonly ReleaseState[]>;
}

export function openReleaseFolder(dir: string): ReleaseFolder {
  const known = new Map<string, ServedRelease>();
  let running: Promise<readonly ReleaseState[]> | null = null;

  async function scanOnce(signal: AbortSignal): Promise<readonly ReleaseState[]> {
    const names = (await readdir(dir)).filter(isVersion).sort(compareVersions).reverse();
    const states: ReleaseState[] = [];
    for (const version of names) {
      signal.throwIfAborted();
      const state = await look(version, signal);
      if (state !== null) states.push(state);
    }
    return states;
  }

  async function look(version: string, signal: AbortSignal): Promise<ReleaseState | null> {
    const path = join(dir, version, PAYLOAD_PATH);
    try {
      const release = await readRelease(join(dir, version, RELEASE_FILE), version);
      if (release === null) return null;
      const identity = await identityOf(path);
      if (identity === null)
        return {kind: 'unfit', version, reason: 'there is no payload; caisson payload make'};
      const before = known.get(path);
      const served = before?.identity === identity ? before : await examine(path, release, signal);
      known.set(path, served);
      return {kind: 'served', release: served};
    } catch (error) {
      signal.throwIfAborted();
      known.delete(path);
      if (!(error instanceof CodedError) && (error as {code?: unknown}).code === undefined) throw error;
      return {kind: 'unfit', version, reason: (error as Error).message};
    }
  }

  return {
    // Two that ask at once read the folder once.
    scan(signal) {
      running ??= scanOnce(signal).finally(() => {
        running = null;
      });
      return running;
    },
  };
}

async function readRelease(path: string, version: string): Promise<Release | null> {
  const info = await stat(path).catch(() => null);
  if (info === null) return null;
  if (info.size > MAX_RELEASE_BYTES)
    throw new ServerError('no-release', `${path} has ${info.size} bytes, more than any ${RELEASE_FILE}`);
  const release = parseRelease(await readFile(path, 'utf8'), path);
  if (release.version !== version)
    throw new ServerError('no-release', `${path} is of version ${release.version}`);
  return release;
}

/** Changes with every way to put another file there; null without a file. */
export async function identityOf(file: string | FileHandle): Promise<string | null> {
  const info = await (
    typeof file === 'string' ? stat(file, {bigint: true}) : file.stat({bigint: true})
  ).catch(() => null);
  return info === null || !info.isFile() ? null : `${info.dev}:${info.ino}:${info.size}:${info.mtimeNs}`;
}

/** Throws PayloadError or ServerError when hosts could not install it, whatever its signatures are worth. */
async function examine(
  path: string,
  {id, architecture, version}: Release,
  signal: AbortSignal,
): Promise<ServedRelease> {
  const file = await open(path);
  try {
    const identity = await identityOf(file);
    const {size, mtimeMs} = await file.stat();
    await checkPayload(file, size, formatProduct({id, architecture, version}), path);
    const [sha256, sha1] = [createHash('sha256'), createHash('sha1')];
    for await (const chunk of file.createReadStream({
      start: 0,
      autoClose: false,
      highWaterMark: 1 << 20,
      signal,
    })) {
      sha256.update(chunk as Buffer);
      sha1.update(chunk as Buffer);
    }
    // It may have been replaced or lengthened meanwhile.
    if (identity === null || (await identityOf(path)) !== identity)
      throw new ServerError('no-release', `${path} changes while it is read`, {retryable: true});
    return {
      version,
      bytes: size,
      sha256: sha256.digest('hex'),
      sha1: sha1.digest('base64'),
      path,
      identity,
      modifiedAt: Math.floor(mtimeMs),
    };
  } finally {
    await file.close();
  }
}

async function checkPayload(file: FileHandle, size: number, product: string, path: string): Promise<void> {
  const readAt = readerOf(file);
  const header = decodePayloadHeader(await readAt(0, PAYLOAD_HEADER_BYTES));
  const manifest = decodeManifest(await readAt(PAYLOAD_HEADER_BYTES, header.manifestBytes));
  const {totalBytes} = payloadLayout(header, manifest);
  if (totalBytes !== size)
    throw new ServerError('no-release', `${path} has ${size} bytes, and should have ${totalBytes}`);
  const other = manifest.partitions.find((each) => each.version !== product);
  if (other !== undefined)
    throw new ServerError(
      'no-release',
      `${path} is for ${other.version ?? 'nobody knows what'}, not ${product}`,
    );
}
