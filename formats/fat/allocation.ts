/**
 * The allocation table of FAT32: a list of the clusters that a file has, one after the other.
 *
 * Format: FAT32 File System Specification 1.03, "FAT Data Structure".
 */
import {type ByteSource, readExactly} from '../byte-source.ts';
import {FIRST_CLUSTER, FatError, type FatGeometry} from './boot-sector.ts';

export interface Allocation {
  /** Differences and marks that drivers pass over. */
  problems: readonly string[];
  /** The clusters from the given one to the end of its chain. Throws FatError; `what` names the file in messages. */
  follow(firstCluster: number, what: string): number[];
  /** How many clusters are in use. */
  countUsed(): number;
}

/** The upper four bits of an entry are not part of it. */
export const ENTRY_MASK = 0x0fff_ffff;
/** From here on an entry means the end of a chain. */
export const END_OF_CHAIN = 0x0fff_fff8;
export const BAD_CLUSTER = 0x0fff_fff7;
/** Bits of the second entry: cleanly unmounted, and no read or write error seen. */
const CLEAN_BITS = 0x0c00_0000;

export async function readAllocation(source: ByteSource, geometry: FatGeometry): Promise<Allocation> {
  const [table = Buffer.alloc(0), ...copies] = await readTables(source, geometry);
  const problems: string[] = [];
  if (copies.some((copy) => !copy.equals(table))) problems.push('the copies of the allocation table differ');
  const entry = (cluster: number): number => table.readUInt32LE(4 * cluster) & ENTRY_MASK;
  if (geometry.isMarkedDirty || (entry(1) & CLEAN_BITS) !== CLEAN_BITS)
    problems.push('the volume was not unmounted cleanly');
  const end = geometry.clusterCount + FIRST_CLUSTER;

  return {
    problems,
    follow(firstCluster, what) {
      const clusters: number[] = [];
      for (let cluster = firstCluster; cluster < END_OF_CHAIN; cluster = entry(cluster)) {
        if (cluster < FIRST_CLUSTER || cluster >= end) {
          throw new FatError(
            'bad-chain',
            `${what} ${clusters.length === 0 ? 'begins' : 'goes on'} with cluster ${cluster}, which no file can have`,
          );
        }
        if (clusters.length === geometry.clusterCount)
          throw new FatError('bad-chain', `the clusters of ${what} run in a circle`);
        clusters.push(cluster);
      }
      return clusters;
    },
    countUsed() {
      let used = 0;
      for (let cluster = FIRST_CLUSTER; cluster < end; cluster += 1)
        if (entry(cluster) !== 0 && entry(cluster) !== BAD_CLUSTER) used += 1;
      return used;
    },
  };
}

async function readTables(source: ByteSource, geometry: FatGeometry): Promise<Buffer[]> {
  const {tableOffset, tableStride, tableBytes, tableCount} = geometry;
  const tables: Buffer[] = [];
  for (let index = 0; index < tableCount; index += 1) {
    const offset = tableOffset + index * tableStride;
    const table = await readExactly(source, offset, tableBytes, 'allocation table');
    tables.push(Buffer.from(table.buffer, table.byteOffset, table.length));
  }
  return tables;
}
