/** Whether what was written is what the signed manifest promised, and whether its halves belong together. */
import {createHash} from 'node:crypto';
import {readExactly} from '../../formats/byte-source.ts';
import {EROFS_OFFSET, EROFS_SUPERBLOCK_BYTES, decodeErofsSuperblock} from '../../formats/erofs.ts';
import type {Guid} from '../../formats/guid.ts';
import type {Product} from '../../formats/payload/product.ts';
import {verifyVerity} from '../../formats/slot/verity-check.ts';
import {readUki, usrOfCommandLine} from '../../formats/uki.ts';
import {guidFromRootHash} from '../../formats/verity.ts';
import {SlotError} from './errors.ts';
import {type Target, sourceOfTarget} from './target.ts';
import {type UkiFile, hashOf} from './write-uki.ts';

/** What a payload brought, by its manifest. */
export interface NewRelease {
  /** The first `bytes` bytes of the USR partition. */
  usr: {bytes: number; sha256: Uint8Array};
  uki: UkiFile;
  product: Product;
}

export interface CheckedSlot {
  rootHash: string;
  /** What the partition must be called, for the UKI to find it. */
  partitionGuid: Guid;
  version: string;
  buildId: string;
}

const CHUNK_BYTES = 4 << 20;
/** What readUki accepts: a PE file for x86-64. */
const UKI_ARCHITECTURE = 'x86-64';

/**
 * Reads the whole slot back from the medium, once, and the UKI from where it was staged. Throws SlotError
 * 'wrong-content' or 'mismatch', VerityCheckError, or an error of the UKI's format.
 */
export async function checkSlot(usr: Target, release: NewRelease, signal: AbortSignal): Promise<CheckedSlot> {
  await usr.settle();
  const found = await checkUsr(usr, release.usr, signal);
  const ukiHash = await hashOf(release.uki.source, signal);
  if (!ukiHash.equals(release.uki.sha256)) throw wrongContent('the UKI', ukiHash, release.uki.sha256);
  const {osRelease, commandLine} = await readUki(release.uki.source);
  const wanted = usrOfCommandLine(commandLine);
  const {id, version, architecture} = release.product;
  requireSame('root hash', wanted.rootHash, found.rootHash, 'the UKI wants', '/usr has');
  requireSame('hash offset', wanted.hashOffset, found.hashOffset, 'the UKI wants', '/usr has');
  requireSame('product', osRelease.get('IMAGE_ID'), id, 'the UKI is of', 'the payload of');
  requireSame('version', osRelease.get('IMAGE_VERSION'), version, 'the UKI is of', 'the payload of');
  requireSame('architecture', UKI_ARCHITECTURE, architecture, 'the UKI is for', 'the payload for');
  return {
    rootHash: found.rootHash,
    partitionGuid: guidFromRootHash(found.rootHash),
    version,
    buildId: osRelease.get('BUILD_ID') ?? '',
  };
}

/** Both hashes, that of the manifest and that of verity, in one pass. */
async function checkUsr(
  usr: Target,
  {bytes, sha256}: NewRelease['usr'],
  signal: AbortSignal,
): Promise<{rootHash: string; hashOffset: number}> {
  const source = sourceOfTarget(usr);
  const head = await readExactly(source, EROFS_OFFSET, EROFS_SUPERBLOCK_BYTES, '/usr');
  const {bytes: hashOffset} = decodeErofsSuperblock(head);
  const hash = createHash('sha256');
  const found = await verifyVerity(source, hashOffset, {
    signal,
    onBytes: () => undefined,
    onData: (chunk) => hash.update(chunk),
  });
  if (found.bytes > bytes) {
    throw new SlotError('mismatch', `/usr with its tree has ${found.bytes} bytes, the payload only ${bytes}`);
  }
  for (let at = hashOffset; at < bytes; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    hash.update(await readExactly(source, at, Math.min(CHUNK_BYTES, bytes - at), '/usr'));
  }
  const digest = hash.digest();
  if (!digest.equals(sha256)) throw wrongContent('/usr', digest, sha256);
  return found;
}

function wrongContent(what: string, got: Buffer, expected: Uint8Array): SlotError {
  return new SlotError(
    'wrong-content',
    `${what} reads back with SHA-256 ${got.toString('hex')}, not ${Buffer.from(expected).toString('hex')}`,
    {retryable: true},
  );
}

function requireSame<T>(what: string, a: T, b: T, whoseA: string, whoseB: string): void {
  if (a === b) return;
  throw new SlotError('mismatch', `${whoseA} ${what} ${String(a)}, ${whoseB} ${String(b)}`);
}
