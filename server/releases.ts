/**
 * The releases in a folder, as far as hosts can be offered them: `VERSION/release.json` with a payload beside it that is
 * whole and for this very release. What the payload's bytes hash to is found out here, once for each file, and not taken
 * from a note beside it, which would be one more thing that can be stale.
 */
import {type FileHandle, open, readFile, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {ByteSource} from '../formats/byte-source.ts';
import {CodedError} from '../formats/errors.ts';
import {PAYLOAD_HEADER_BYTES, decodePayloadHeader, payloadLayout} from '../formats/payload/header.ts';
import {decodeManifest} from '../formats/payload/manifest.ts';
import {formatProduct} from '../formats/payload/product.ts';
import {MAX_RELEASE_BYTES, RELEASE_FILE, type Release, parseRelease} from '../formats/release.ts';
import {compareVersions, isVersion} from '../formats/version.ts';
import {readerOf} from '../platform/files.ts';
import {ServerError} from './errors.ts';
import {type OfferedRelease, PAYLOAD_NAME} from './omaha.ts';
import {hashPayload} from './payload-hashes.ts';

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

/** Those that can be served. */
export function servedOf(states: readonly ReleaseState[]): readonly ServedRelease[] {
  return states.flatMap((state) => (state.kind === 'served' ? [state.release] : []));
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
    const product = formatProduct({id, architecture, version});
    await requireProduct({bytes: size, readAt: readerOf(file)}, {product, usrSha256: null}, path);
    const hashes = await hashPayload(file, signal);
    // It may have been replaced or lengthened meanwhile.
    if (identity === null || (await identityOf(path)) !== identity)
      throw new ServerError('no-release', `${path} changes while it is read`, {retryable: true});
    return {
      version,
      bytes: size,
      ...hashes,
      path,
      identity,
      modifiedAt: Math.floor(mtimeMs),
    };
  } finally {
    await file.close();
  }
}

/**
 * Throws PayloadError or ServerError unless it is as long as its own manifest says, for that product, and, where that is
 * known, brings that very /usr.
 */
export async function requireProduct(
  payload: ByteSource,
  {product, usrSha256}: {readonly product: string; readonly usrSha256: string | null},
  path: string,
): Promise<void> {
  const header = decodePayloadHeader(await payload.readAt(0, PAYLOAD_HEADER_BYTES));
  const manifest = decodeManifest(await payload.readAt(PAYLOAD_HEADER_BYTES, header.manifestBytes));
  const {totalBytes} = payloadLayout(header, manifest);
  if (totalBytes !== payload.bytes)
    throw new ServerError('no-release', `${path} has ${payload.bytes} bytes, and should have ${totalBytes}`);
  const other = manifest.partitions.find((each) => each.version !== product);
  if (other !== undefined)
    throw new ServerError(
      'no-release',
      `${path} is for ${other.version ?? 'nobody knows what'}, not ${product}`,
    );
  const usr = manifest.partitions.find(({name}) => name === 'usr');
  const found = usr === undefined ? 'none' : Buffer.from(usr.newInfo.sha256).toString('hex');
  if (usrSha256 !== null && found !== usrSha256)
    throw new ServerError('untrusted', `${path} brings /usr ${found}, and the release has ${usrSha256}`, {
      hint: 'make the payload again: caisson payload make',
    });
}
