/**
 * Reading a FAT32 volume, without a mount and without mtools: what lies on an ESP, also on one whose machine lost its
 * power. Damage that drivers pass over is listed in `problems`; what cannot be read right is an error.
 */
import {type ByteSource, readExactly, windowOf} from '../byte-source.ts';
import {type Allocation, readAllocation} from './allocation.ts';
import {FIRST_CLUSTER, FatError, type FatGeometry, decodeFatBootSector} from './boot-sector.ts';
import {type FatDirectory, type FatEntry, decodeFatDirectory} from './directory.ts';

export interface FatFile extends FatEntry {
  /** From the root, without a leading slash. */
  path: string;
}

/** Every function throws FatError, or ByteSourceError where the data ends too early. */
export interface FatVolume {
  readonly geometry: FatGeometry;
  readonly label: string | undefined;
  /** Everything on the volume, sorted by path; a directory comes before what it holds. */
  walk(): Promise<FatFile[]>;
  /** Names are compared without case, as FAT has it. FatError 'no-such-file' when it is not there. */
  find(path: string): Promise<FatFile>;
  /** Content of a file. */
  open(file: FatFile): ByteSource;
  /** What is wrong with the volume, by the rules of fsck.vfat; empty when all is well. Reads all directories. */
  check(): Promise<string[]>;
}

/** Directories within directories; the ESP has three. */
export const MAX_DEPTH = 16;
/** A directory has at most 65,536 entries of 32 bytes (FAT32 specification, "FAT Directory Structure"). */
export const MAX_DIRECTORY_BYTES = 2 ** 21;

export async function openFat(source: ByteSource): Promise<FatVolume> {
  const geometry = decodeFatBootSector(await source.readAt(0, 512));
  if (geometry.volumeBytes > source.bytes) {
    throw new FatError(
      'truncated',
      `the FAT32 file system has ${geometry.volumeBytes} bytes, its place only ${source.bytes}`,
    );
  }
  const allocation = await readAllocation(source, geometry);
  const root: FatFile = {
    path: '',
    name: '',
    shortName: '',
    kind: 'directory',
    bytes: 0,
    firstCluster: geometry.rootCluster,
    at: 0,
    piecesAt: 0,
  };

  async function read({path, firstCluster}: FatFile): Promise<FatDirectory> {
    const clusters = allocation.follow(firstCluster, `/${path}`);
    const bytes = clusters.length * geometry.clusterBytes;
    if (bytes > MAX_DIRECTORY_BYTES) throw new FatError('bad-directory', `/${path} has ${bytes} bytes`);
    const content = sourceOfClusters(source, geometry, clusters);
    return decodeFatDirectory(await readExactly(content, 0, bytes, `/${path}`), path);
  }

  async function walk(parent: FatFile, problems: string[], depth = 0): Promise<FatFile[]> {
    if (depth > MAX_DEPTH)
      throw new FatError('bad-directory', `/${parent.path}: directories nest deeper than ${MAX_DEPTH}`);
    const directory = await read(parent);
    problems.push(...directory.problems);
    const files: FatFile[] = [];
    for (const entry of [...directory.entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = inside(parent, entry);
      files.push(file);
      if (file.kind === 'directory') files.push(...(await walk(file, problems, depth + 1)));
    }
    return files;
  }

  return {
    geometry,
    label: (await read(root)).label,
    walk: () => walk(root, []),
    async find(path) {
      let found = root;
      for (const name of path.split('/')) {
        const entries = found.kind === 'directory' ? (await read(found)).entries : [];
        const entry = entries.find((each) => each.name.toLowerCase() === name.toLowerCase());
        if (entry === undefined) throw new FatError('no-such-file', `there is no /${path}`);
        found = inside(found, entry);
      }
      return found;
    },
    open: (file) =>
      windowOf(sourceOfClusters(source, geometry, clustersOf(file, allocation, geometry)), 0, file.bytes),
    async check() {
      const problems = [...allocation.problems];
      const files = await walk(root, problems);
      return [...problems, ...checkClusters([root, ...files], allocation, geometry)];
    },
  };
}

function inside(parent: FatFile, entry: FatEntry): FatFile {
  return {...entry, path: parent.path === '' ? entry.name : `${parent.path}/${entry.name}`};
}

function clustersOf(file: FatFile, allocation: Allocation, {clusterBytes}: FatGeometry): number[] {
  if (file.kind === 'file' && file.bytes === 0 && file.firstCluster === 0) return [];
  const clusters = allocation.follow(file.firstCluster, `/${file.path}`);
  if (clusters.length * clusterBytes >= file.bytes) return clusters;
  throw new FatError(
    'bad-chain',
    `/${file.path} has ${file.bytes} bytes, but only ${clusters.length} clusters of ${clusterBytes}`,
  );
}

function checkClusters(files: readonly FatFile[], allocation: Allocation, geometry: FatGeometry): string[] {
  const problems: string[] = [];
  const owners = new Map<number, string>();
  for (const file of files) {
    const clusters = clustersOf(file, allocation, geometry);
    const needed = Math.ceil(file.bytes / geometry.clusterBytes);
    if (file.kind === 'file' && clusters.length > needed)
      problems.push(`/${file.path} has ${clusters.length - needed} clusters more than its length wants`);
    const shared = clusters.find((cluster) => owners.has(cluster));
    if (shared !== undefined)
      problems.push(`/${file.path} and /${owners.get(shared)} share cluster ${shared}`);
    for (const cluster of clusters) owners.set(cluster, file.path);
  }
  const lost = allocation.countUsed() - owners.size;
  if (lost > 0) problems.push(`${lost} clusters are in use but belong to no file`);
  return problems;
}

/** The content of clusters as one source, read in as few pieces as they lie in. */
export function sourceOfClusters(
  volume: ByteSource,
  {clusterBytes, dataOffset}: FatGeometry,
  clusters: readonly number[],
): ByteSource {
  const bytes = clusters.length * clusterBytes;
  return {
    bytes,
    async readAt(offset, length) {
      const pieces: Uint8Array[] = [];
      const end = Math.min(offset + length, bytes);
      for (let at = offset; at < end;) {
        const first = Math.floor(at / clusterBytes);
        const start = clusters[first] ?? 0;
        let count = 1;
        while (clusters[first + count] === start + count && (first + count) * clusterBytes < end) count += 1;
        const skipped = at - first * clusterBytes;
        const wanted = Math.min(count * clusterBytes - skipped, end - at);
        const place = dataOffset + (start - FIRST_CLUSTER) * clusterBytes + skipped;
        pieces.push(await readExactly(volume, place, wanted, `cluster ${start}`));
        at += wanted;
      }
      return Buffer.concat(pieces);
    },
  };
}
