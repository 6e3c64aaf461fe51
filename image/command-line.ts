/**
 * The kernel command line of a release. A pure function: the same release has the same line in every slot, because
 * /usr is found by the partition GUID that its own root hash dictates (Discoverable Partitions Specification).
 */
import {guidFromRootHash} from '../formats/verity.ts';

export interface VerityFacts {
  /** 64 hex digits. */
  rootHash: string;
  /** Byte offset of the verity superblock in the partition. */
  hashOffset: number;
}

export function kernelCommandLine(
  userArguments: readonly string[],
  {rootHash, hashOffset}: VerityFacts,
): string {
  const device = `/dev/disk/by-partuuid/${guidFromRootHash(rootHash)}`;
  return [
    `usrhash=${rootHash}`,
    `systemd.verity_usr_data=${device}`,
    `systemd.verity_usr_hash=${device}`,
    // A block that is not what was signed stops the machine at once; the selector then has the last word.
    `systemd.verity_usr_options=hash-offset=${hashOffset},panic-on-corruption`,
    'mount.usr=/dev/mapper/usr',
    'mount.usrfstype=erofs',
    'mount.usrflags=ro',
    ...userArguments,
  ].join(' ');
}
