/**
 * Takes a release in: checks what was uploaded as hosts will, puts the payload in its place, then writes the row that
 * makes it a release. A server that is killed in between has a payload that nobody is told of; the next call finds it.
 */
import {withByteSource} from '../../platform/files.ts';
import {formatProduct} from '../../formats/payload/product.ts';
import {requireProduct} from '../releases.ts';
import {
  type Documents,
  type StoredRelease,
  addRelease,
  findRelease,
  requireSameBytes,
} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {type TrustedKey, checkDocuments} from './documents.ts';
import type {PayloadStore} from './payload-store.ts';

export interface Submission {
  readonly version: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly documents: Documents;
  /** Name of a token. */
  readonly by: string;
}

export interface PublishTools {
  readonly database: Database;
  readonly payloads: PayloadStore;
  /** Throws when hosts would refuse the payload. */
  readonly vouch: (payload: {
    readonly version: string;
    readonly path: string;
    readonly bytes: number;
  }) => Promise<unknown>;
  readonly trustedKeys: () => Promise<readonly TrustedKey[]>;
  readonly now: () => number;
}

/** Throws ServerError, and what `vouch` throws; then nothing but the upload has changed. */
export async function publishRelease(
  {version, sha256, bytes, documents, by}: Submission,
  {database, payloads, vouch, trustedKeys, now}: PublishTools,
): Promise<StoredRelease> {
  const {release, signer} = checkDocuments(version, documents, await trustedKeys());
  // Before anything is uploaded: this is asked first without the payload, and answered with 'incomplete'.
  await requireSameBytes(database, version, sha256);
  const usr = Object.values(release.files).find(({role}) => role === 'usr')?.sha256 ?? null;
  const {sha1} = await payloads.settle(sha256, bytes, async (path) => {
    await withByteSource(path, (source) =>
      requireProduct(source, {product: formatProduct(release), usrSha256: usr}, `payload of ${version}`),
    );
    await vouch({version, path, bytes});
  });
  await addRelease(database, {version, bytes, sha256, sha1}, now(), {by, signedBy: signer.name, documents});
  const stored = await findRelease(database, version);
  if (stored === null) throw new Error(`release ${version} is gone`);
  return stored;
}

/** How long one call waits; the caller asks again, and finds the same work. */
const PATIENCE_MS = 15_000;

export interface Workshop {
  /** Null when it takes longer than one may wait. */
  run(key: string, work: () => Promise<StoredRelease>): Promise<StoredRelease | null>;
}

/** Does each piece of work once, whoever asks for it while it is under way. */
export function createWorkshop(sleep: (ms: number) => Promise<unknown>): Workshop {
  const running = new Map<string, Promise<StoredRelease>>();
  return {
    run(key, work) {
      let current = running.get(key);
      if (current === undefined) {
        current = work().finally(() => running.delete(key));
        // Whoever asked may have gone.
        current.catch(() => undefined);
        running.set(key, current);
      }
      return Promise.race([current, sleep(PATIENCE_MS).then(() => null)]);
    },
  };
}
