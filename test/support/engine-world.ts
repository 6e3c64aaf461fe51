/**
 * Everything around the update engine in small: a disk file with release 1.0.0 in slot A, keys, configuration, releases to
 * update to, and the release server that offers them.
 */
import {type KeyObject, createHash, generateKeyPairSync} from 'node:crypto';
import {cp, mkdir, readFile, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setSlotGuid} from '../../formats/gpt/slots.ts';
import {guidFromRootHash} from '../../formats/verity.ts';
import {createGpt} from '../../platform/gpt-disk.ts';
import {silentLog} from '../../platform/log.ts';
import {PAYLOAD_FILE, makePayload} from '../../payload/make.ts';
import {promoteRelease} from '../../server/channel-file.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {type ReleaseServer, serveReleases} from '../../server/serve.ts';
import type {Identity} from '../../update-engine/identity.ts';
import {HOST_PATHS, type HostPaths} from '../../update-engine/paths.ts';
import {espOf, patch, sampleRelease, SOURCE_DATE, writeRelease} from './small-disk.ts';
import {type BitsOfSlots, slotTable} from './slot-disk.ts';
import {type SmallRelease, fakeErofs, smallRelease} from './update-world.ts';

const MIB = 1024 * 1024;
const SLOT_BYTES = 16 * MIB;
const DISK_BYTES = 2 * SLOT_BYTES + 8 * MIB;
/** Three operations of a payload, and a tail. */
const USR_BLOCKS = 3 * 1024 + 100;
const SLOT_OFFSETS = {A: 2 * MIB, B: 2 * MIB + SLOT_BYTES} as const;

export const IDENTITY: Identity = {
  product: 'caisson',
  architecture: 'x86-64',
  version: '1.0.0',
  buildId: '20260102-abc',
  channel: 'stable',
  sourceDate: SOURCE_DATE,
  machineId: '0123456789abcdef0123456789abcdef',
  bootId: '11111111-2222-3333-4444-555555555555',
  oem: {id: 'test', version: '1'},
};

interface KeyPair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

export interface EngineWorld {
  folder: string;
  paths: HostPaths;
  disk: string;
  /** Releases by version. */
  releases: ReadonlyMap<string, SmallRelease>;
  /** The folder that a release server serves. */
  served: string;
  keys: KeyPair;
  payloadOf(version: string): string;
}

/** Files only; start a server with serveWorld, and give the engine `paths` and the disk. */
export async function makeEngineWorld(folder: string, versions: readonly string[]): Promise<EngineWorld> {
  const keys = generateKeyPairSync('rsa', {modulusLength: 2048});
  const paths = Object.fromEntries(
    Object.entries(HOST_PATHS).map(([name, path]) => [name, join(folder, 'host', path)]),
  ) as unknown as HostPaths;
  await mkdir(paths.keys, {recursive: true});
  await mkdir(paths.state, {recursive: true});
  await mkdir(join(folder, 'host/etc/caisson'), {recursive: true});
  await writeFile(join(paths.keys, 'test.pem'), keys.publicKey.export({type: 'spki', format: 'pem'}));
  const served = join(folder, 'served');
  const releases = new Map<string, SmallRelease>();
  for (const version of ['1.0.0', ...versions])
    releases.set(version, smallRelease(version, fakeErofs(USR_BLOCKS)));
  for (const version of versions) {
    const release = releases.get(version);
    if (release !== undefined) await writePayloadOf(join(served, version), release, keys);
  }
  const old = releases.get('1.0.0');
  if (old === undefined) throw new Error('no release to begin with');
  const disk = join(folder, 'disk.raw');
  await writeDisk(disk, old, {A: [1, 0, true], B: [0, 0, false]});
  return {
    folder,
    paths,
    disk,
    releases,
    served,
    keys,
    payloadOf: (version) => join(served, version, PAYLOAD_FILE),
  };
}

export async function writeDisk(path: string, release: SmallRelease, slots: BitsOfSlots): Promise<void> {
  let table = slotTable({sectorSize: 512, diskBytes: DISK_BYTES, slots, slotBytes: SLOT_BYTES});
  table = setSlotGuid(table, 'A', guidFromRootHash(release.rootHash));
  await writeFile(path, '');
  await truncate(path, DISK_BYTES);
  await createGpt(path, table);
  await patch(path, MIB, espOf({A: release.uki}).bytes);
  await patch(path, SLOT_OFFSETS.A, release.usr);
}

/** A release directory with a signed payload in it. */
export async function writePayloadOf(
  directory: string,
  {version, usr, uki, rootHash}: SmallRelease,
  keys: KeyPair,
): Promise<void> {
  await mkdir(join(directory, 'payload'), {recursive: true});
  const files = {'usr.img': {role: 'usr', content: usr}, 'uki.efi': {role: 'uki', content: uki}};
  const described = Object.entries(files).map(([name, {role, content}]) => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    return [name, {role, bytes: content.length, sha256}] as const;
  });
  for (const [name, {content}] of Object.entries(files)) await writeFile(join(directory, name), content);
  const release = sampleRelease({
    version,
    usr: {
      rootHash,
      partitionGuid: guidFromRootHash(rootHash),
      hashOffset: USR_BLOCKS * 4096,
      bytes: usr.length,
    },
    sizes: {usr: {bytes: usr.length, budget: SLOT_BYTES}},
    files: Object.fromEntries(described),
  });
  await writeRelease(directory, release);
  await makePayload({
    directory,
    release,
    out: join(directory, PAYLOAD_FILE),
    signing: {kind: 'keys', privateKeys: [keys.privateKey]},
    jobs: 1,
    signal: new AbortController().signal,
    log: silentLog,
  });
}

/** The real release server, with a channel that points to a version. */
export async function serveWorld(world: EngineWorld, version: string | null): Promise<ReleaseServer> {
  if (version !== null) await promote(world, version);
  return serveReleases({
    dir: world.served,
    host: '127.0.0.1',
    port: 0,
    tls: null,
    publicUrl: null,
    now: () => Date.now(),
    onLine: () => undefined,
    onAccess: () => undefined,
  });
}

export async function promote(
  world: EngineWorld,
  version: string,
  channel: 'alpha' | 'beta' | 'stable' = 'stable',
): Promise<void> {
  const signal = new AbortController().signal;
  const promotion = {version, channel, allowDowngrade: true, at: Date.now()} as const;
  await promoteRelease(world.served, openReleaseFolder(world.served), promotion, signal);
}

export async function writeConf(world: EngineWorld, lines: Readonly<Record<string, string>>): Promise<void> {
  const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(world.paths.config, text.join(''));
}

/** Of the disk's slot: whether it holds exactly this release. */
export async function holds(disk: string, letter: 'A' | 'B', {usr}: SmallRelease): Promise<boolean> {
  const bytes = await readFile(disk);
  const offset = SLOT_OFFSETS[letter];
  return bytes.subarray(offset, offset + usr.length).equals(usr);
}

export async function copyDisk(from: string, to: string): Promise<void> {
  await cp(from, to);
}
