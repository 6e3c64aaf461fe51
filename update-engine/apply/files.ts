/** Payloads and partitions that are plain files: for looking at a payload away from any host. */
import type {KeyObject} from 'node:crypto';
import {type FileHandle, mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import type {ByteSource} from '../../formats/byte-source.ts';
import {MAX_PARTITION_BYTES} from '../../formats/payload/limits.ts';
import {decompress} from '../../platform/decompress.ts';
import {readerOf, withByteSource, withFile} from '../../platform/files.ts';
import {withScratchFile, writeAll, writeNewFile} from '../../platform/new-file.ts';
import type {Target} from '../slots/target.ts';
import {type AppliedPayload, applyPayload} from './apply.ts';
import {ByteReader} from './byte-reader.ts';
import {readHead} from './head.ts';
import type {ApplyOptions} from './options.ts';

export interface PayloadFileOptions {
  path: string;
  keys: readonly KeyObject[];
  /** Files with the old partitions, by partition name; for deltas. */
  old: Readonly<Record<string, string>>;
  signal: AbortSignal;
  onProgress: ApplyOptions['onProgress'];
}

const READ_BYTES = 256 << 10;
const FILE_NAMES: Readonly<Record<string, string>> = {usr: 'usr.img', kernel: 'kernel.efi'};

/**
 * Everything that a host would do, but into files without a name in `scratchFolder`, which needs room for the
 * partitions. Throws PayloadError and errors of the system.
 */
export async function verifyPayloadFile(
  options: PayloadFileOptions & {scratchFolder: string},
): Promise<AppliedPayload> {
  return applyFile(options, (_, use) => withScratchFile(options.scratchFolder, use));
}

/** Writes each partition to a file in `folder`; the files appear once all of the payload was found right. */
export async function extractPayloadFile(
  options: PayloadFileOptions & {folder: string},
): Promise<AppliedPayload & {files: readonly string[]}> {
  const {folder} = options;
  await mkdir(folder, {recursive: true});
  const applied = await applyFile(options, (name, use) => writeNewFile(join(folder, fileNameOf(name)), use));
  return {...applied, files: applied.manifest.partitions.map(({name}) => join(folder, fileNameOf(name)))};
}

function fileNameOf(partition: string): string {
  return FILE_NAMES[partition] ?? `${partition}.img`;
}

type WithFile = <T>(partition: string, use: (file: FileHandle) => Promise<T>) => Promise<T>;

async function applyFile(options: PayloadFileOptions, withNew: WithFile): Promise<AppliedPayload> {
  const {path, keys, signal, old, onProgress} = options;
  return withFile(path, 'r', async (file) => {
    const open = (offset: number): AsyncIterable<Uint8Array> => readFrom(file, offset);
    const names = await namesOf(open(0), keys, signal);
    return withFiles(names, withNew, (targets) =>
      withSources(Object.entries(old), (sources) =>
        applyPayload({
          ...{open, keys, targets, sources, signal, decompress, onProgress},
          accept: () => undefined,
          progress: {load: () => Promise.resolve(null), save: () => Promise.resolve()},
        }),
      ),
    );
  });
}

async function namesOf(
  stream: AsyncIterable<Uint8Array>,
  keys: readonly KeyObject[],
  signal: AbortSignal,
): Promise<string[]> {
  const codes = {early: 'truncated', late: 'bad-data'} as const;
  const reader = new ByteReader(stream, {signal, what: 'the payload', codes});
  try {
    return (await readHead(reader, keys)).manifest.partitions.map(({name}) => name);
  } finally {
    await reader.close();
  }
}

/** Opens them one within the other, so that each is closed, or removed, whatever happens to the others. */
async function withFiles<T>(
  names: readonly string[],
  withNew: WithFile,
  use: (targets: Readonly<Record<string, Target>>) => Promise<T>,
  targets: Readonly<Record<string, Target>> = {},
): Promise<T> {
  const [name, ...others] = names;
  if (name === undefined) return use(targets);
  return withNew(name, (file) => withFiles(others, withNew, use, {...targets, [name]: fileTarget(file)}));
}

async function withSources<T>(
  files: readonly (readonly [name: string, path: string])[],
  use: (sources: Readonly<Record<string, ByteSource>>) => Promise<T>,
  sources: Readonly<Record<string, ByteSource>> = {},
): Promise<T> {
  const [first, ...others] = files;
  if (first === undefined) return use(sources);
  const [name, path] = first;
  return withByteSource(path, (source) => withSources(others, use, {...sources, [name]: source}));
}

/** Nobody goes on with such a file after a power cut, so nothing is flushed in between. */
function fileTarget(file: FileHandle): Target {
  return {
    bytes: MAX_PARTITION_BYTES,
    writeAt: (offset, bytes) => writeAll(file, bytes, offset),
    readAt: readerOf(file),
    flush: () => Promise.resolve(),
    settle: () => Promise.resolve(),
  };
}

/** Each piece is valid until the next is asked for. */
async function* readFrom(file: FileHandle, offset: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let at = offset; ;) {
    const {bytesRead} = await file.read(buffer, 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
