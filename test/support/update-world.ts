/** A machine in small, about to be updated: a disk with an old release, and a new one to install. */
import {createHash, randomBytes} from 'node:crypto';
import {sourceOf} from '../../formats/byte-source.ts';
import {type SlotLetter, setSlotGuid} from '../../formats/gpt/slots.ts';
import {type GptRegion, encodeGpt} from '../../formats/gpt/table.ts';
import type {Guid} from '../../formats/guid.ts';
import {guidFromHex} from '../../formats/guid.ts';
import {VerityTree, encodeVeritySuperblock, guidFromRootHash, verityLayout} from '../../formats/verity.ts';
import {kernelCommandLine} from '../../image/command-line.ts';
import type {NewRelease} from '../../update-engine/slots/check-slot.ts';
import {type InstallOptions, type SlotRoom, requireRoom} from '../../update-engine/slots/install.ts';
import type {Target} from '../../update-engine/slots/target.ts';
import {DiskImage, type RecordingDisk} from './recording-disk.ts';
import {espOf} from './small-disk.ts';
import {type BitsOfSlots, slotTable} from './slot-disk.ts';
import {ukiFile} from './uki-file.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** /usr and UKI of one version. */
export interface SmallRelease {
  version: string;
  usr: Buffer;
  uki: Buffer;
  rootHash: string;
  /** Of the verity tree. */
  salt: Uint8Array;
  /** Blocks of /usr before the verity superblock. */
  dataBlocks: number;
}

export interface SmallMachine {
  image: DiskImage;
  old: SmallRelease;
  fresh: SmallRelease;
}

/** A file system of any content, with its verity tree behind it; the UKI has `ukiBytes` bytes or a little more. */
export function smallRelease(version: string, data: Buffer, ukiBytes = 0): SmallRelease {
  const salt = createHash('sha256').update(version).digest();
  const tree = new VerityTree({salt});
  tree.update(data);
  const finished = tree.finish();
  const rootHash = finished.rootHash.toString('hex');
  const layout = verityLayout(data.length / 4096);
  const usr = Buffer.alloc(layout.totalBytes);
  usr.set(data);
  const uuid = guidFromHex(rootHash.slice(32));
  usr.set(encodeVeritySuperblock({uuid, salt, dataBlocks: data.length / 4096}), layout.superblockOffset);
  usr.set(finished.tree, layout.treeOffset);
  const commandLine = kernelCommandLine(['quiet'], {rootHash, hashOffset: data.length});
  return {
    version,
    usr,
    uki: ukiFile({commandLine, version, initrd: Buffer.alloc(ukiBytes, version)}),
    rootHash,
    salt,
    dataBlocks: data.length / 4096,
  };
}

/** Bytes that call themselves erofs. */
export function fakeErofs(blocks = 60): Buffer {
  const data = randomBytes(blocks * 4096);
  data.fill(0, 0, 2048);
  data.writeUInt32LE(0xe0f5_e1e2, 1024);
  data.writeUInt8(12, 1036);
  data.writeUInt32LE(blocks, 1060);
  return data;
}

/** A disk whose slots hold releases; without a `esp` it is one of 64 clusters. */
export function machineDisk(options: {
  slots: BitsOfSlots;
  releases: Partial<Record<SlotLetter, SmallRelease>>;
  esp?: Uint8Array;
}): DiskImage {
  const {slots, releases} = options;
  const ukis = Object.fromEntries(Object.entries(releases).map(([letter, {uki}]) => [letter, uki]));
  const esp = options.esp ?? espOf(ukis).bytes;
  const espBytes = Math.ceil(esp.length / MIB) * MIB;
  const diskBytes = espBytes + 5 * MIB;
  let table = slotTable({sectorSize: 512, diskBytes, slots, espBytes});
  for (const [letter, {rootHash}] of Object.entries(releases))
    table = setSlotGuid(table, letter as SlotLetter, guidFromRootHash(rootHash));
  const disk = new Uint8Array(diskBytes);
  for (const {offset, bytes} of Object.values<GptRegion>({...encodeGpt(table)})) disk.set(bytes, offset);
  disk.set(esp, MIB);
  for (const [letter, {usr}] of Object.entries(releases))
    disk.set(usr, espBytes + (letter === 'A' ? MIB : 2 * MIB));
  return new DiskImage(disk);
}

let guids = 0;
export function nextGuid(): Guid {
  guids += 1;
  return guidFromHex(createHash('sha256').update(String(guids)).digest('hex').slice(0, 32));
}

/** What a payload's manifest would say. */
export function newReleaseOf({usr, uki, version}: SmallRelease): NewRelease {
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
  return {
    usr: {bytes: usr.length, sha256: sha256(usr)},
    uki: {source: sourceOf(uki), sha256: sha256(uki)},
    product: {id: 'caisson', architecture: 'x86-64', version},
  };
}

/** Installs into B, writing /usr in pieces. */
export function installOptions(
  disk: RecordingDisk,
  release: SmallRelease,
  changes: Partial<InstallOptions> = {},
): InstallOptions {
  return {
    disk,
    letter: 'B',
    randomGuid: nextGuid,
    now: NOW,
    signal: new AbortController().signal,
    async fill(target: Target, room: SlotRoom) {
      requireRoom(room, {usrBytes: release.usr.length, ukiBytes: release.uki.length});
      for (let at = 0; at < release.usr.length; at += CHUNK_BYTES)
        await target.writeAt(at, release.usr.subarray(at, at + CHUNK_BYTES));
      await target.flush();
      return newReleaseOf(release);
    },
    onStep(step) {
      disk.step = step;
    },
    ...changes,
  };
}
