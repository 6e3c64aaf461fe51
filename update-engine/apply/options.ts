/** What applying a payload needs of the world. */
import type {KeyObject} from 'node:crypto';
import type {ByteSource} from '../../formats/byte-source.ts';
import type {Manifest} from '../../formats/payload/types.ts';
import type {Decompress} from '../../platform/decompress.ts';
import type {Target} from '../slots/target.ts';
import type {ProgressKeeper} from './progress.ts';

export interface ApplyProgress {
  /** Of the payload, received. */
  bytes: number;
  totalBytes: number;
  /** Of the partitions, by operations that are complete. */
  writtenBytes: number;
}

export interface ApplyOptions {
  /** The bytes of the payload from that one on. May be called again, from another place. */
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Any one of them may have signed; without any, every payload is refused. */
  keys: readonly KeyObject[];
  /**
   * Throws to refuse a payload. Called once, after the metadata signature was found good, and before anything is read
   * beyond the manifest or written.
   */
  accept(manifest: Manifest): void;
  /** By the name of the partition. */
  targets: Readonly<Record<string, Target>>;
  /** The old partitions, for deltas. */
  sources?: Readonly<Record<string, ByteSource>>;
  progress: ProgressKeeper;
  /** What the server announced of the file. */
  expected?: {bytes: number; sha256: Uint8Array};
  onProgress(done: ApplyProgress): void;
  signal: AbortSignal;
  decompress: Decompress;
  /**
   * False when the caller reads the partitions back itself, and forgets the progress when they are wrong: a slot is
   * read once, not twice.
   */
  readBack?: boolean;
  /** Milliseconds on any scale, so that progress is also saved when little comes in; without it only bytes count. */
  now?: () => number;
}
