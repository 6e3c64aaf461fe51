/** A disk of 8 MiB, and a release around it, with everything that a real one has but in small. */

import {createHash, randomBytes} from 'node:crypto';
import {mkdir, open, readFile, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {type SlotLetter, setSlotGuid} from '../../formats/gpt/slots.ts';
import {type Release, formatRelease} from '../../formats/release.ts';
import {encodeSha256Sums} from '../../formats/sha256sums.ts';
import {guidFromRootHash} from '../../formats/verity.ts';
import {kernelCommandLine} from '../../image/command-line.ts';
import {type VerityFile, appendVerity} from '../../image/verity.ts';
import {createGpt} from '../../platform/gpt-disk.ts';
import {FatImage, entry, longEntry} from './fat-image.ts';
import {type BitsOfSlots, slotTable} from './slot-disk.ts';
import {peFile, ukiFile} from './uki-file.ts';

const MIB = 1024 * 1024;
const SECTOR = 512;
/** Where slotTable puts its partitions. */
export const PLACES = {esp: MIB, A: 2 * MIB, B: 3 * MIB} as const;
export const SOURCE_DATE = 1_795_054_374;
const BUILD_ID = '20260102-abc';

/** An image that says of itself to be erofs, with its verity tree. */
export async function writeUsr(path: string, blocks = 200): Promise<VerityFile> {
  const data = randomBytes(blocks * 4096);
  data.fill(0, 0, 2048);
  data.writeUInt32LE(0xe0f5_e1e2, 1024);
  data.writeUInt8(12, 1036);
  data.writeBigUInt64LE(BigInt(SOURCE_DATE), 1048);
  data.writeUInt32LE(blocks, 1060);
  await writeFile(path, data);
  return appendVerity(path, {salt: randomBytes(32), uuid: 'aabbccdd-0011-2233-4455-66778899aabb'});
}

export interface SmallDisk {
  slots: BitsOfSlots;
  /** By slot; a slot without one has no UKI. */
  ukis: Partial<Record<SlotLetter, Buffer>>;
  /** By slot: the file and what its UKI should know. */
  usr: Partial<Record<SlotLetter, {path: string; facts: VerityFile}>>;
}

export function espOf(ukis: SmallDisk['ukis']): FatImage {
  const image = new FatImage().chain(3).chain(4).chain(5);
  let next = 6;
  const add = (content: Buffer): {firstCluster: number; bytes: number} => {
    const clusters = Array.from({length: Math.ceil(content.length / SECTOR)}, (_, index) => next + index);
    image.chain(...clusters);
    clusters.forEach((cluster, index) =>
      image.fill(cluster, content.subarray(index * SECTOR, (index + 1) * SECTOR)),
    );
    next += clusters.length;
    return {firstCluster: next - clusters.length, bytes: content.length};
  };
  const directory = (shortName: string, firstCluster: number): Buffer =>
    entry({shortName, attributes: 0x10, firstCluster});
  image.fill(2, directory('EFI', 3));
  image.fill(
    3,
    Buffer.concat([
      directory('BOOT', 4),
      ...longEntry('caisson', {shortName: 'CAISSON', attributes: 0x10, firstCluster: 5}),
    ]),
  );
  image.fill(4, entry({shortName: 'BOOTX64 EFI', ...add(peFile([['.text', 'selector']]))}));
  const files = Object.entries(ukis).map(([letter, uki]) =>
    entry({shortName: `USR-${letter}   EFI`, cases: 0x18, ...add(uki)}),
  );
  image.fill(5, Buffer.concat(files));
  return image;
}

export async function writeSmallDisk(path: string, {slots, ukis, usr}: SmallDisk): Promise<void> {
  let table = slotTable({sectorSize: SECTOR, diskBytes: 8 * MIB, slots});
  for (const letter of ['A', 'B'] as const) {
    const image = usr[letter];
    if (image !== undefined) table = setSlotGuid(table, letter, guidFromRootHash(image.facts.rootHash));
  }
  const file = await open(path, 'w');
  await file.truncate(8 * MIB);
  await file.close();
  await createGpt(path, table);
  await patch(path, PLACES.esp, espOf(ukis).bytes);
  for (const [letter, image] of Object.entries(usr))
    await patch(path, PLACES[letter as SlotLetter], await readFile(image.path));
}

/** Writes over a part of a file. */
export async function patch(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
  await file.close();
}

/** release.json as a value. */
export function sampleRelease(changes: Partial<Release> = {}): Release {
  const rootHash = '0123456789abcdef'.repeat(4);
  return {
    format: 'caisson-release-1',
    id: 'caisson',
    name: 'Caisson Linux',
    version: '1.2.3',
    channel: 'stable',
    buildId: BUILD_ID,
    architecture: 'x86-64',
    sourceDate: SOURCE_DATE,
    kernelRelease: '6.12.0-test',
    usr: {rootHash, partitionGuid: guidFromRootHash(rootHash), hashOffset: 8192, bytes: 20_480},
    sectorSize: SECTOR,
    sizes: {usr: {bytes: 20_480, budget: 40_960}},
    packages: 3,
    updateKeys: [],
    channelKeys: [],
    files: {'uki.efi': {role: 'uki', bytes: 100, sha256: 'b'.repeat(64)}},
    ...changes,
  };
}

/** A release directory with slot A filled. */
export async function writeSmallRelease(directory: string): Promise<Release> {
  await mkdir(directory, {recursive: true});
  const usrPath = join(directory, 'usr.img');
  const facts = await writeUsr(usrPath);
  const uki = ukiFile({commandLine: kernelCommandLine(['quiet'], facts)});
  await writeFile(join(directory, 'uki.efi'), uki);
  await writeSmallDisk(join(directory, 'disk.raw'), {
    slots: {A: [1, 0, true], B: [0, 0, false]},
    ukis: {A: uki},
    usr: {A: {path: usrPath, facts}},
  });
  const files: Release['files'] = {};
  for (const [name, role] of Object.entries({'disk.raw': 'disk', 'uki.efi': 'uki', 'usr.img': 'usr'})) {
    const path = join(directory, name);
    const sha256 = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    files[name] = {role, bytes: (await stat(path)).size, sha256};
  }
  const release = sampleRelease({
    usr: {...facts, partitionGuid: guidFromRootHash(facts.rootHash)},
    sizes: {usr: {bytes: facts.bytes, budget: 2 * facts.bytes}},
    files,
  });
  await writeRelease(directory, release);
  return release;
}

/** release.json and the sums that go with it. */
export async function writeRelease(directory: string, release: Release): Promise<void> {
  const manifest = formatRelease(release);
  await writeFile(join(directory, 'release.json'), manifest);
  const sums = Object.entries(release.files).map(([name, {sha256}]) => ({name, sha256}));
  sums.push({name: 'release.json', sha256: createHash('sha256').update(manifest).digest('hex')});
  await writeFile(join(directory, 'SHA256SUMS'), encodeSha256Sums(sums));
}
