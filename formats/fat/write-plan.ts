/**
 * Changing a FAT32 volume so that power may fail at any write. Decides in memory, gives the writes in order.
 *
 * The order: content into clusters that nothing reaches; flush; both allocation tables; flush; the one sector of the
 * directory that switches the entry; flush; the old clusters are freed; flush. Until the switch nothing that was there
 * is touched, after it nothing that is there.
 *
 * Why other files cannot be harmed, even by a sector that is written in part: a written sector differs from what is on
 * disk only in the bytes of the file being replaced (its entry, and table entries of clusters that no other file
 * reaches). Every mixture of old and new bytes therefore holds the other entries unchanged. A mixture in the switched
 * entry itself can point anywhere; whoever replaces a file must be sure that nobody starts it meanwhile (its slot has
 * priority 0), and the next try takes a torn entry for a leftover. A new entry is written in two parts, the last of
 * which is a single byte, so that no mixture is ever visible.
 *
 * Rejected: mounting the partition. The kernel's vfat has no journal and keeps no order between content, tables and
 * entries; a rename there is two entries in one sector at best. The mark "not unmounted cleanly" is left as found: with
 * this order a check has nothing to repair, and setting it would mean two more writes to the boot sector.
 */
import {BAD_CLUSTER, ENTRY_MASK} from './allocation.ts';
import {FIRST_CLUSTER, FatError, type FatGeometry} from './boot-sector.ts';
import {DELETED, ENTRY_BYTES, type FatEntry, UNUSED} from './directory.ts';
import {type FatMoment, newEntry, placeForEntry, switchedEntry} from './entry-writing.ts';
import {type FatSurvey, type SurveyedFolder, tableEntry} from './survey.ts';

export type FatStep =
  /** Whole sectors for one place; `offset` counts from the start of the volume. */
  | {kind: 'write'; what: 'table' | 'entry' | 'free-count'; offset: number; bytes: Uint8Array}
  /** `length` bytes of the file's content from `from`; the rest of the last cluster is left as it is. */
  | {kind: 'content'; offset: number; from: number; length: number}
  | {kind: 'flush'};

const FLUSH: FatStep = {kind: 'flush'};
const MAX_FILE_BYTES = 0xffff_ffff;
const CHAIN_END = 0x0fff_ffff;
const INFO_AT = {freeCount: 488, lastUsed: 492} as const;
const UNKNOWN = 0xffff_ffff;

/**
 * The steps that put a file of `bytes` bytes at `path`, in a folder that exists, over what is there. The survey must
 * have named that path as expendable. Throws FatError 'no-such-file', 'no-room', 'bad-name' or 'damaged'.
 */
export function planReplace(
  survey: FatSurvey,
  path: string,
  file: {bytes: number; modified: FatMoment},
): FatStep[] {
  const {geometry, expendable} = survey;
  const {folder, name, entry} = locate(survey, path);
  const clusters = allocate(survey, file.bytes, path);
  const withNew = usedTable(survey, expendable);
  clusters.forEach((cluster, index) => setEntry(withNew, cluster, clusters[index + 1] ?? CHAIN_END));
  const withoutOld = Buffer.from(withNew);
  for (const cluster of expendable) setEntry(withoutOld, cluster, 0);
  const fields = {firstCluster: clusters[0] ?? 0, ...file};
  return [
    ...forgetFreeCount(survey),
    ...contentSteps(geometry, clusters, file.bytes),
    FLUSH,
    ...tableSteps(survey, survey.tables, withNew),
    FLUSH,
    ...(entry === undefined
      ? createSteps(geometry, folder, name, fields)
      : [changeFolder(geometry, folder, entry.at, switchedEntry(folder.content, entry.at, fields)), FLUSH]),
    ...tableSteps(survey, [withNew, withNew], withoutOld),
    ...countFree(survey, withoutOld, clusters.at(-1)),
    FLUSH,
  ];
}

/** The steps that take a file away. The survey must have named it as expendable. Throws FatError 'no-such-file'. */
export function planRemove(survey: FatSurvey, path: string): FatStep[] {
  const {geometry} = survey;
  const {folder, entry} = locate(survey, path);
  if (entry === undefined) throw new FatError('no-such-file', `there is no /${path}`);
  const gone = usedTable(survey, []);
  // The short entry first: a long name without one is passed over, a short one without its long name is a file.
  const steps = [changeFolder(geometry, folder, entry.at, Uint8Array.of(DELETED)), FLUSH];
  for (let at = entry.piecesAt; at < entry.at; at += ENTRY_BYTES)
    steps.push(changeFolder(geometry, folder, at, Uint8Array.of(DELETED)), FLUSH);
  return [
    ...forgetFreeCount(survey),
    ...steps,
    ...tableSteps(survey, survey.tables, gone),
    ...countFree(survey, gone, undefined),
    FLUSH,
  ];
}

/** The steps that free what no file reaches and make the tables agree; none when there is nothing to do. */
export function planReclaim(survey: FatSurvey): FatStep[] {
  const clean = usedTable(survey, survey.expendable);
  const steps = tableSteps(survey, survey.tables, clean);
  if (steps.length === 0) return [];
  return [...forgetFreeCount(survey), FLUSH, ...steps, ...countFree(survey, clean, undefined), FLUSH];
}

/** Bytes that a new file can have at most, leftovers counted as free. */
export function roomFor(survey: FatSurvey): number {
  return availableClusters(survey).length * survey.geometry.clusterBytes;
}

function locate(
  {folders}: FatSurvey,
  path: string,
): {folder: SurveyedFolder; name: string; entry: FatEntry | undefined} {
  const slash = path.lastIndexOf('/');
  const folderPath = path.slice(0, Math.max(slash, 0));
  const name = path.slice(slash + 1);
  const folder = folders.find((each) => each.path.toLowerCase() === folderPath.toLowerCase());
  if (folder === undefined) throw new FatError('no-such-file', `there is no folder /${folderPath}`);
  const entry = folder.entries.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (entry?.kind === 'directory') throw new FatError('bad-name', `/${path} is a directory`);
  return {folder, name, entry};
}

function allocate(survey: FatSurvey, bytes: number, path: string): number[] {
  const {clusterBytes} = survey.geometry;
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > MAX_FILE_BYTES)
    throw new FatError('no-room', `no file of FAT32 has ${bytes} bytes`);
  const needed = Math.ceil(bytes / clusterBytes);
  const available = availableClusters(survey);
  if (available.length < needed) {
    throw new FatError(
      'no-room',
      `/${path} needs ${needed * clusterBytes} bytes beside what is there, ` +
        `but only ${available.length * clusterBytes} are free`,
      {hint: 'remove files from the EFI system partition that are not those of the system'},
    );
  }
  // In one piece where possible: some firmware reads a fragmented file slowly.
  const start = available.findIndex((cluster, at) => available[at + needed - 1] === cluster + needed - 1);
  return available.slice(Math.max(start, 0), Math.max(start, 0) + needed);
}

function availableClusters({geometry, tables, reached, expendable}: FatSurvey): number[] {
  const [table] = tables;
  const kept = new Set(expendable);
  const available: number[] = [];
  for (let cluster = FIRST_CLUSTER; cluster < geometry.clusterCount + FIRST_CLUSTER; cluster += 1) {
    const isTaken = reached[cluster] === 1 || kept.has(cluster);
    if (!isTaken && table !== undefined && tableEntry(table, cluster) !== BAD_CLUSTER)
      available.push(cluster);
  }
  return available;
}

/** The first table with everything freed that is not reached, not bad and not to be kept. */
function usedTable({geometry, tables, reached}: FatSurvey, kept: readonly number[]): Buffer {
  const isKept = new Set(kept);
  const table = Buffer.from(tables[0] ?? []);
  for (let cluster = FIRST_CLUSTER; cluster < geometry.clusterCount + FIRST_CLUSTER; cluster += 1) {
    const value = tableEntry(table, cluster);
    if (value === 0 || value === BAD_CLUSTER || reached[cluster] === 1 || isKept.has(cluster)) continue;
    setEntry(table, cluster, 0);
  }
  return table;
}

/** The upper four bits belong to nobody and stay (FAT32 specification, "FAT Data Structure"). */
function setEntry(table: Buffer, cluster: number, value: number): void {
  const upper = table.readUInt32LE(4 * cluster) & ~ENTRY_MASK;
  table.writeUInt32LE((upper | value) >>> 0, 4 * cluster);
}

/** The sectors in which `after` differs from each of the copies, neighbours joined. */
function tableSteps({geometry}: FatSurvey, copies: readonly Buffer[], after: Buffer): FatStep[] {
  const {sectorBytes, tableOffset, tableStride, tableCount} = geometry;
  const steps: FatStep[] = [];
  for (let copy = 0; copy < tableCount; copy += 1) {
    const before = copies[copy] ?? after;
    const isSame = (at: number): boolean =>
      before.compare(after, at, at + sectorBytes, at, at + sectorBytes) === 0;
    for (let at = 0; at < after.length; at += sectorBytes) {
      if (isSame(at)) continue;
      const start = at;
      while (at + sectorBytes < after.length && !isSame(at + sectorBytes)) at += sectorBytes;
      const bytes = after.subarray(start, at + sectorBytes);
      steps.push({kind: 'write', what: 'table', offset: tableOffset + copy * tableStride + start, bytes});
    }
  }
  return steps;
}

function contentSteps(geometry: FatGeometry, clusters: readonly number[], bytes: number): FatStep[] {
  const {clusterBytes, dataOffset} = geometry;
  const steps: FatStep[] = [];
  for (let index = 0; index < clusters.length;) {
    const first = clusters[index] ?? 0;
    let count = 1;
    while (clusters[index + count] === first + count) count += 1;
    const from = index * clusterBytes;
    const length = Math.min(count * clusterBytes, bytes - from);
    steps.push({kind: 'content', offset: dataOffset + (first - FIRST_CLUSTER) * clusterBytes, from, length});
    index += count;
  }
  return steps;
}

/** Everything of the entry but its first byte, which hides it; then that byte. */
function createSteps(
  geometry: FatGeometry,
  folder: SurveyedFolder,
  name: string,
  fields: {firstCluster: number; bytes: number; modified: FatMoment},
): FatStep[] {
  const {at, isLast} = placeForEntry(folder);
  const whole = newEntry(folder, name, fields);
  const hidden = Buffer.from(whole);
  hidden[0] = folder.content[at] ?? DELETED;
  // What follows the end of a directory may be anything; the new end is behind this entry.
  const isEndMissing = isLast && folder.content[at + ENTRY_BYTES] !== UNUSED;
  const steps = isEndMissing ? [changeFolder(geometry, folder, at + ENTRY_BYTES, Uint8Array.of(UNUSED))] : [];
  steps.push(changeFolder(geometry, folder, at, hidden), FLUSH);
  return [...steps, changeFolder(geometry, folder, at, whole), FLUSH];
}

/** One sector of a folder with some bytes changed, in memory too: a later step must not undo it. */
function changeFolder(
  geometry: FatGeometry,
  {clusters, content}: SurveyedFolder,
  at: number,
  bytes: Uint8Array,
): FatStep {
  const {clusterBytes, sectorBytes, dataOffset} = geometry;
  content.set(bytes, at);
  const start = at - (at % sectorBytes);
  const cluster = clusters[Math.floor(start / clusterBytes)] ?? 0;
  const offset = dataOffset + (cluster - FIRST_CLUSTER) * clusterBytes + (start % clusterBytes);
  return {
    kind: 'write',
    what: 'entry',
    offset,
    bytes: Uint8Array.from(content.subarray(start, start + sectorBytes)),
  };
}

/** Before anything changes: a power cut shall leave no count that is wrong. */
function forgetFreeCount({geometry, info}: FatSurvey): FatStep[] {
  if (info === undefined || geometry.infoOffset === undefined) return [];
  const bytes = Buffer.from(info);
  bytes.writeUInt32LE(UNKNOWN, INFO_AT.freeCount);
  return [{kind: 'write', what: 'free-count', offset: geometry.infoOffset, bytes}];
}

function countFree({geometry, info}: FatSurvey, table: Buffer, lastUsed: number | undefined): FatStep[] {
  if (info === undefined || geometry.infoOffset === undefined) return [];
  let free = 0;
  for (let cluster = FIRST_CLUSTER; cluster < geometry.clusterCount + FIRST_CLUSTER; cluster += 1)
    if (tableEntry(table, cluster) === 0) free += 1;
  const bytes = Buffer.from(info);
  bytes.writeUInt32LE(free, INFO_AT.freeCount);
  if (lastUsed !== undefined) bytes.writeUInt32LE(lastUsed, INFO_AT.lastUsed);
  return [{kind: 'write', what: 'free-count', offset: geometry.infoOffset, bytes}];
}
