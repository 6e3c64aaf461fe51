/** Puts the dm-verity superblock and hash tree behind a file system, in the same file. */
import {createReadStream} from 'node:fs';
import {open, stat} from 'node:fs/promises';
import {VERITY_BLOCK_BYTES, VerityTree, encodeVeritySuperblock} from '../formats/verity.ts';
import type {Guid} from '../formats/guid.ts';
import {CodedError} from '../formats/errors.ts';

export class VerityFileError extends CodedError<'not-whole-blocks'> {}

export interface VerityFile {
  /** 64 hex digits. */
  rootHash: string;
  /** Byte offset of the superblock, which is the file system's length. */
  hashOffset: number;
  /** Length of the whole file. */
  bytes: number;
}

export async function appendVerity(
  path: string,
  options: {salt: Uint8Array; uuid: Guid},
): Promise<VerityFile> {
  const hashOffset = (await stat(path)).size;
  if (hashOffset === 0 || hashOffset % VERITY_BLOCK_BYTES !== 0) {
    throw new VerityFileError(
      'not-whole-blocks',
      `${path} has ${hashOffset} bytes, not a multiple of ${VERITY_BLOCK_BYTES}`,
    );
  }
  const verity = new VerityTree({salt: options.salt});
  for await (const chunk of createReadStream(path, {highWaterMark: 4 << 20})) verity.update(chunk as Buffer);
  const {rootHash, tree} = verity.finish();
  const superblock = Buffer.alloc(VERITY_BLOCK_BYTES);
  superblock.set(encodeVeritySuperblock({...options, dataBlocks: hashOffset / VERITY_BLOCK_BYTES}));
  const file = await open(path, 'a');
  try {
    await file.writev([superblock, tree]);
    await file.sync();
  } finally {
    await file.close();
  }
  return {
    rootHash: Buffer.from(rootHash).toString('hex'),
    hashOffset,
    bytes: hashOffset + superblock.length + tree.length,
  };
}
