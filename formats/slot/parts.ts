/** The two halves of a slot, a UKI and its /usr: what each says of itself, and whether they belong together. */
import {type ByteSource, readExactly} from '../byte-source.ts';
import {EROFS_OFFSET, EROFS_SUPERBLOCK_BYTES, decodeErofsSuperblock} from '../erofs.ts';
import {CodedError} from '../errors.ts';
import type {Guid} from '../guid.ts';
import {UkiError, readUki, usrOfCommandLine} from '../uki.ts';
import {guidFromRootHash} from '../verity.ts';
import {findVerity, verifyVerity} from './verity-check.ts';

export type UkiState =
  | {kind: 'missing'}
  /** `isLoadable`: the firmware would start it all the same, and what then happens is anyone's guess. */
  | {kind: 'damaged'; reason: string; isLoadable: boolean}
  | {
      kind: 'uki';
      bytes: number;
      /** Of the os-release inside: IMAGE_VERSION, BUILD_ID and CAISSON_CHANNEL; empty when it has none. */
      version: string;
      buildId: string;
      channel: string;
      kernelRelease: string;
      commandLine: string;
      /** Of the /usr that it accepts. */
      rootHash: string;
      hashOffset: number;
      partitionGuid: Guid;
    };

export type UsrState =
  | {kind: 'empty'}
  | {kind: 'damaged'; reason: string}
  | {
      kind: 'usr';
      /** File system, superblock and tree. */
      bytes: number;
      hashOffset: number;
      rootHash: string;
      /** Seconds since 1970. */
      madeAt: number;
      /** Whether all of it was hashed, not just the tree's top block. */
      isVerified: boolean;
    };

export interface VerifyOptions {
  signal: AbortSignal;
  onBytes: (count: number) => void;
}

export async function inspectUki(source: ByteSource): Promise<UkiState> {
  try {
    const {osRelease, kernelRelease, commandLine} = await readUki(source);
    const usr = usrOfCommandLine(commandLine);
    return {
      kind: 'uki',
      bytes: source.bytes,
      version: osRelease.get('IMAGE_VERSION') ?? '',
      buildId: osRelease.get('BUILD_ID') ?? '',
      channel: osRelease.get('CAISSON_CHANNEL') ?? '',
      kernelRelease,
      commandLine,
      ...usr,
      partitionGuid: guidFromRootHash(usr.rootHash),
    };
  } catch (error) {
    return {kind: 'damaged', reason: reasonOf(error), isLoadable: error instanceof UkiError};
  }
}

/** `verify` has all data hashed as well. */
export async function inspectUsr(source: ByteSource, verify?: VerifyOptions): Promise<UsrState> {
  try {
    const head = await readExactly(source, 0, EROFS_OFFSET + EROFS_SUPERBLOCK_BYTES, '/usr');
    if (head.every((byte) => byte === 0)) return {kind: 'empty'};
    const {bytes: hashOffset, madeAt} = decodeErofsSuperblock(head.subarray(EROFS_OFFSET));
    const {rootHash, bytes} =
      verify === undefined
        ? await findVerity(source, hashOffset)
        : await verifyVerity(source, hashOffset, verify);
    return {kind: 'usr', bytes, hashOffset, rootHash, madeAt, isVerified: verify !== undefined};
  } catch (error) {
    return {kind: 'damaged', reason: reasonOf(error)};
  }
}

/** Why a machine would not come up with these two; empty when nothing speaks against it. */
export function findMismatches(uki: UkiState, usr: UsrState, partitionGuid: Guid | undefined): string[] {
  if (uki.kind === 'missing') return ['there is no UKI'];
  if (uki.kind === 'damaged') return [`the UKI is damaged: ${uki.reason}`];
  if (usr.kind === 'empty') return ['/usr is empty'];
  if (usr.kind === 'damaged') return [`/usr is damaged: ${usr.reason}`];
  const problems: string[] = [];
  if (uki.rootHash !== usr.rootHash)
    problems.push(`the UKI wants a /usr with root hash ${uki.rootHash}, but it has ${usr.rootHash}`);
  if (uki.hashOffset !== usr.hashOffset) {
    problems.push(
      `the UKI looks for the verity superblock at byte ${uki.hashOffset}, but it lies at ${usr.hashOffset}`,
    );
  }
  if (partitionGuid !== undefined && partitionGuid !== uki.partitionGuid)
    problems.push(`the UKI looks for partition ${uki.partitionGuid}, but this one is ${partitionGuid}`);
  return problems;
}

/** The message of an error raised on purpose; anything else is a fault of ours and goes on. */
export function reasonOf(error: unknown): string {
  if (error instanceof CodedError) return error.message;
  throw error;
}
