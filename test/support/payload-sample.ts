/** Payloads in small, as values: a full one with every kind of operation, and a delta. */
import {createHash} from 'node:crypto';
import type {Extent, Manifest, Operation, PartitionUpdate} from '../../formats/payload/types.ts';

export function sha256(bytes: Uint8Array | string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

export function extent(startBlock: number, blocks: number): Extent {
  return {startBlock, blocks};
}

export function operation(changes: Partial<Operation> & Pick<Operation, 'type'>): Operation {
  return {data: null, srcExtents: [], srcSha256: null, dstExtents: [], ...changes};
}

export function blob(offset: number, bytes: number): NonNullable<Operation['data']> {
  return {offset, bytes, sha256: sha256(`blob at ${offset}`)};
}

/** 10 blocks: 6 of data, its superblock, the tree of the 6, and two more. */
export function fullPartition(changes: Partial<PartitionUpdate> = {}): PartitionUpdate {
  return {
    name: 'usr',
    oldInfo: null,
    newInfo: {bytes: 10 * 4096, sha256: sha256('usr')},
    operations: [
      operation({type: 'REPLACE_XZ', data: blob(0, 700), dstExtents: [extent(0, 3)]}),
      operation({type: 'ZERO', dstExtents: [extent(3, 1)]}),
      operation({type: 'REPLACE_BZ', data: blob(700, 900), dstExtents: [extent(4, 1), extent(6, 1)]}),
      operation({type: 'REPLACE', data: blob(1600, 4000), dstExtents: [extent(5, 1)]}),
      operation({type: 'DISCARD', dstExtents: [extent(8, 2)]}),
    ],
    hashTree: {data: extent(0, 6), tree: extent(7, 1), algorithm: 'sha256', salt: sha256('salt')},
    version: 'caisson/x86-64/1.2.3',
    ...changes,
  };
}

export function fullManifest(changes: Partial<Manifest> = {}): Manifest {
  const kernel: PartitionUpdate = {
    name: 'kernel',
    oldInfo: null,
    newInfo: {bytes: 4096, sha256: sha256('kernel')},
    operations: [operation({type: 'REPLACE', data: blob(5600, 10), dstExtents: [extent(0, 1)]})],
    hashTree: null,
    version: null,
  };
  return {
    minorVersion: 0,
    signaturesOffset: 5610,
    signaturesBytes: 267,
    maxTimestamp: 1_795_054_374,
    partitions: [fullPartition(), kernel],
    ...changes,
  };
}

export function deltaManifest(changes: Partial<Manifest> = {}): Manifest {
  const reads = {srcExtents: [extent(2, 2)], srcSha256: sha256('source')};
  const usr: PartitionUpdate = {
    name: 'usr',
    oldInfo: {bytes: 8 * 4096, sha256: sha256('old usr')},
    newInfo: {bytes: 7 * 4096, sha256: sha256('new usr')},
    operations: [
      operation({type: 'SOURCE_COPY', ...reads, dstExtents: [extent(5, 2)]}),
      operation({type: 'SOURCE_BSDIFF', ...reads, data: blob(0, 100), dstExtents: [extent(0, 3)]}),
      operation({type: 'BROTLI_BSDIFF', ...reads, data: blob(100, 100), dstExtents: [extent(3, 1)]}),
      operation({type: 'REPLACE', data: blob(200, 4096), dstExtents: [extent(4, 1)]}),
    ],
    hashTree: null,
    version: 'caisson/x86-64/1.2.4',
  };
  return {
    minorVersion: 7,
    signaturesOffset: 4296,
    signaturesBytes: 267,
    maxTimestamp: null,
    partitions: [usr],
    ...changes,
  };
}
