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

/**
 * The line of hosts that run from their boot image. The initrd knows by itself where /usr and ROOT are; what it cannot
 * know is who the host is, and a ROOT in memory does not remember.
 */
export function liveCommandLine(userArguments: readonly string[]): string {
  return ['systemd.machine_id=firmware', ...userArguments].join(' ');
}

/**
 * An iPXE script that starts the release from beside itself: iPXE takes names relative to where the script came from.
 * `caisson-arguments` is a setting of iPXE (`set` in a script that chains to this one, or DHCP) for the operator's own words.
 */
export function liveScript(files: {
  kernel: string;
  initrd: string;
  name: string;
  commandLine: string;
}): string {
  return [
    '#!ipxe',
    `echo ${files.name}`,
    // The second name is for UEFI, where the kernel itself asks the firmware for its initrd.
    `kernel ${files.kernel} initrd=${files.initrd} ${files.commandLine} \${caisson-arguments}`,
    `initrd ${files.initrd}`,
    'boot',
    '',
  ].join('\n');
}
