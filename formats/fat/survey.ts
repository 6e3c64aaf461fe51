/**
 * All of a volume that a writer must know: every file's clusters, both allocation tables as they are, and which file
 * may be given up. Stricter than reading: what cannot be told apart must not be written beside.
 *
 * A power cut in our own writing leaves clusters in use that no file reaches, allocation tables that differ in such
 * clusters, and a torn entry of the one file being replaced. Those are leftovers. Anything else is damage, and refused:
 * the other slot's UKI may be what is damaged, and it is what the machine would start next.
 */
import {type ByteSource, readExactly} from '../byte-source.ts';
import {END_OF_CHAIN, ENTRY_MASK} from './allocation.ts';
import {FIRST_CLUSTER, FatError, type FatGeometry, decodeFatBootSector} from './boot-sector.ts';
import {type FatEntry, decodeFatDirectory} from './directory.ts';
import {MAX_DEPTH, MAX_DIRECTORY_BYTES, sourceOfClusters} from './volume.ts';

export interface SurveyedFolder {
  /** From the root, without a leading slash; empty for the root. */
  path: string;
  clusters: readonly number[];
  content: Buffer;
  entries: readonly FatEntry[];
}

export interface FatSurvey {
  geometry: FatGeometry;
  /** Each allocation table in whole sectors. The first is the one that firmware and Linux read. */
  tables: readonly Buffer[];
  /** The sector of the free count; undefined when there is none or it is not one. */
  info: Buffer | undefined;
  folders: readonly SurveyedFolder[];
  /** By cluster number: 1 for those that a file or directory has, `expendable` left out. */
  reached: Uint8Array;
  /** The clusters of the file that may be given up; empty when it is not there, or torn. */
  expendable: readonly number[];
}

const DAMAGE_HINT = 'run fsck.vfat on the EFI system partition, from another system if this one runs from it';
const INFO_SIGNATURES = [
  [0, 0x4161_5252],
  [484, 0x6141_7272],
  [508, 0xaa55_0000],
] as const;

/**
 * Reads a whole volume. `expendable` is the path of a file that is about to be replaced and may be torn. Throws
 * FatError; 'damaged' when anything besides it and leftovers is wrong.
 */
export async function surveyFat(source: ByteSource, expendable?: string): Promise<FatSurvey> {
  const geometry = decodeFatBootSector(await source.readAt(0, 512));
  if (geometry.volumeBytes > source.bytes) {
    throw new FatError(
      'truncated',
      `the FAT32 file system has ${geometry.volumeBytes} bytes, its place only ${source.bytes}`,
    );
  }
  const tables = await readTables(source, geometry);
  const walk: Walk = {
    source,
    geometry,
    table: tables[0] ?? Buffer.alloc(0),
    expendable: expendable?.toLowerCase(),
    reached: new Uint8Array(geometry.clusterCount + FIRST_CLUSTER),
    folders: [],
    spared: undefined,
  };
  await walkFolder(walk, '', geometry.rootCluster, 0);
  requireSameTables(walk, tables);
  const info = geometry.infoOffset === undefined ? undefined : await readInfo(source, geometry);
  return {
    geometry,
    tables,
    info,
    folders: walk.folders,
    reached: walk.reached,
    expendable: walk.spared === undefined ? [] : chainOfExpendable(walk, walk.spared),
  };
}

/** What the first table says of a cluster. */
export function tableEntry(table: Buffer, cluster: number): number {
  return table.readUInt32LE(4 * cluster) & ENTRY_MASK;
}

interface Walk {
  source: ByteSource;
  geometry: FatGeometry;
  table: Buffer;
  expendable: string | undefined;
  reached: Uint8Array;
  folders: SurveyedFolder[];
  spared: FatEntry | undefined;
}

async function walkFolder(walk: Walk, path: string, firstCluster: number, depth: number): Promise<void> {
  const {source, geometry, folders} = walk;
  if (depth > MAX_DEPTH) throw damage(`directories nest deeper than ${MAX_DEPTH} at /${path}`);
  const clusters = followChain(walk, firstCluster, path);
  reach(walk, clusters, path);
  const bytes = clusters.length * geometry.clusterBytes;
  if (bytes > MAX_DIRECTORY_BYTES) throw damage(`/${path} has ${bytes} bytes`);
  const read = await readExactly(sourceOfClusters(source, geometry, clusters), 0, bytes, `/${path}`);
  const content = Buffer.from(read.buffer, read.byteOffset, read.length);
  const {entries} = decodeFatDirectory(content, path);
  folders.push({path, clusters, content, entries});
  const names = new Set<string>();
  for (const entry of entries) {
    const entryPath = path === '' ? entry.name : `${path}/${entry.name}`;
    const name = entry.name.toLowerCase();
    if (names.has(name)) throw damage(`there are two entries for /${entryPath}`);
    names.add(name);
    if (entry.kind === 'directory') await walkFolder(walk, entryPath, entry.firstCluster, depth + 1);
    else if (entryPath.toLowerCase() === walk.expendable) walk.spared = entry;
    else reach(walk, chainOfFile(walk, entry, entryPath), entryPath);
  }
}

function chainOfFile(walk: Walk, {bytes, firstCluster}: FatEntry, path: string): number[] {
  if (bytes === 0 && firstCluster === 0) return [];
  const clusters = followChain(walk, firstCluster, path);
  const needed = Math.ceil(bytes / walk.geometry.clusterBytes);
  if (clusters.length >= needed) return clusters;
  throw damage(`/${path} has ${clusters.length} clusters, but ${bytes} bytes need ${needed}`);
}

/** A torn entry points anywhere, into other files too: then it has nothing of its own. */
function chainOfExpendable(walk: Walk, entry: FatEntry): number[] {
  try {
    const clusters = chainOfFile(walk, entry, entry.name);
    return clusters.some((cluster) => walk.reached[cluster] === 1) ? [] : clusters;
  } catch (error) {
    if (error instanceof FatError) return [];
    throw error;
  }
}

function followChain({table, geometry}: Walk, firstCluster: number, path: string): number[] {
  const end = geometry.clusterCount + FIRST_CLUSTER;
  const clusters: number[] = [];
  for (let cluster = firstCluster; cluster < END_OF_CHAIN; cluster = tableEntry(table, cluster)) {
    if (cluster < FIRST_CLUSTER || cluster >= end)
      throw damage(`/${path} has cluster ${cluster}, which no file can have`);
    if (clusters.length === geometry.clusterCount) throw damage(`the clusters of /${path} run in a circle`);
    clusters.push(cluster);
  }
  if (clusters.length === 0) throw damage(`/${path} begins with no cluster`);
  return clusters;
}

function reach({reached}: Walk, clusters: readonly number[], path: string): void {
  for (const cluster of clusters) {
    if (reached[cluster] === 1) throw damage(`/${path} shares cluster ${cluster} with another file`);
    reached[cluster] = 1;
  }
}

function requireSameTables({reached, table}: Walk, tables: readonly Buffer[]): void {
  for (const copy of tables.slice(1)) {
    if (copy.equals(table)) continue;
    const cluster = reached.findIndex(
      (isReached, at) => isReached === 1 && tableEntry(copy, at) !== tableEntry(table, at),
    );
    if (cluster >= 0) throw damage(`the allocation tables differ in cluster ${cluster}, which a file has`);
  }
}

async function readTables(source: ByteSource, geometry: FatGeometry): Promise<Buffer[]> {
  const {tableOffset, tableStride, tableCount, tableBytes, sectorBytes} = geometry;
  const length = Math.ceil(tableBytes / sectorBytes) * sectorBytes;
  const tables: Buffer[] = [];
  for (let index = 0; index < tableCount; index += 1) {
    const table = await readExactly(source, tableOffset + index * tableStride, length, 'allocation table');
    tables.push(Buffer.from(table.buffer, table.byteOffset, table.length));
  }
  return tables;
}

async function readInfo(source: ByteSource, geometry: FatGeometry): Promise<Buffer | undefined> {
  const {infoOffset = 0, sectorBytes} = geometry;
  const sector = await readExactly(source, infoOffset, sectorBytes, 'free count');
  const info = Buffer.from(sector.buffer, sector.byteOffset, sector.length);
  return INFO_SIGNATURES.every(([at, value]) => info.readUInt32LE(at) === value) ? info : undefined;
}

function damage(what: string): FatError {
  return new FatError('damaged', `the FAT32 file system is damaged: ${what}`, {hint: DAMAGE_HINT});
}
