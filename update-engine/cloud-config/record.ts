/**
 * What this program has done to the host, so that a config that is changed can be undone where it no longer says
 * something, and nothing else ever is. Written before the thing it is about: after a power cut it may tell of a file
 * that was not written, and then what lies there is not what it tells of, and stays.
 */
import {createHash} from 'node:crypto';
import {mkdir, readFile, rename, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {z} from '../../formats/schema.ts';
import {pathExists, writeFileAtomic} from '../../platform/files.ts';
import {CLOUD_PATHS, type CloudHost, onHost} from './host.ts';

const MAX_RECORD_BYTES = 8 << 20;
const path = z.string().max(4096);
const origin = z.string().max(4096);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const savedSchema = z.object({
  /** The copy is in the folder `saved` under this name. */
  sha256,
  mode: z.int().nonnegative(),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
});

export const recordSchema = z.object({
  format: z.literal(1),
  /** Where the config came from, in words. */
  source: z.string().max(4096),
  appliedAt: z.int().nonnegative(),
  /** Of the config last applied. */
  userDataSha256: sha256.nullable(),
  // Of every entry `origin` is whose it is: the host's own config (`HOST_ORIGIN`), or a file that an operator named.
  // Only a config of the same origin takes it back.
  /** Whole files, with the hash of what was written. `before` was there when this program first wrote. */
  files: z.array(z.object({path, sha256, before: savedSchema.nullable(), origin})).max(10_000),
  /** Lines in files of others. `before` is the value that the line had. */
  assignments: z
    .array(z.object({path, key: z.string(), value: z.string(), before: z.string().nullable(), origin}))
    .max(1000),
  enabled: z.array(z.object({unit: z.string(), runtime: z.boolean(), origin})).max(10_000),
  masked: z.array(z.object({unit: z.string(), runtime: z.boolean(), origin})).max(10_000),
  /** Done in this boot: what is not done twice in one. */
  boot: z.object({
    id: z.string(),
    commands: z.array(z.string()).max(10_000),
    scriptSha256: sha256.nullable(),
  }),
});

export type CloudRecord = z.infer<typeof recordSchema>;
export type SavedFile = z.infer<typeof savedSchema>;

/** The config that the boot applies, whichever source it comes from. */
export const HOST_ORIGIN = 'host';

export const EMPTY_RECORD: CloudRecord = {
  format: 1,
  source: '',
  appliedAt: 0,
  userDataSha256: null,
  files: [],
  assignments: [],
  enabled: [],
  masked: [],
  boot: {id: '', commands: [], scriptSha256: null},
};

export interface RecordStore {
  /** The empty record when there is none. One that cannot be read is moved aside, and `warn` hears of it. */
  read(): Promise<CloudRecord>;
  write(record: CloudRecord): Promise<void>;
  /** Keeps bytes; returns their name. */
  save(content: Uint8Array): Promise<string>;
  saved(name: string): Promise<Uint8Array>;
  /** What a server answered, for the day on which it does not. */
  keep(id: string, answer: Uint8Array): Promise<void>;
  kept(id: string): Promise<Uint8Array | null>;
  /** Puts a script where it can be run; returns its path. */
  writeScript(text: string): Promise<string>;
}

export function hashOf(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

export function openRecord(host: Pick<CloudHost, 'root'>, warn: (text: string) => void): RecordStore {
  const folder = onHost(host, CLOUD_PATHS.state);
  const file = join(folder, 'record.json');

  async function read(): Promise<CloudRecord> {
    const size = await stat(file).catch(() => undefined);
    if (size === undefined) return EMPTY_RECORD;
    try {
      if (size.size > MAX_RECORD_BYTES) throw new Error(`${size.size} bytes`);
      return recordSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    } catch {
      warn(`${file} cannot be read and is moved aside; what it told of stays as it is`);
      await rename(file, `${file}.unreadable`);
      return EMPTY_RECORD;
    }
  }

  async function makeFolder(name: string): Promise<void> {
    // Copies of files and configs may hold secrets.
    await mkdir(join(folder, name), {recursive: true, mode: 0o700});
  }

  return {
    read,
    async write(record) {
      await makeFolder('');
      await writeFileAtomic(file, `${JSON.stringify(record, undefined, 2)}\n`, 0o600);
    },
    async save(content) {
      const name = hashOf(content);
      await makeFolder('saved');
      const path = join(folder, 'saved', name);
      if (!(await pathExists(path))) await writeFileAtomic(path, content, 0o600);
      return name;
    },
    saved: (name) => readFile(join(folder, 'saved', name)),
    async keep(id, answer) {
      await makeFolder('answers');
      await writeFileAtomic(join(folder, 'answers', hashOf(id)), answer, 0o600);
    },
    kept: (id) => readFile(join(folder, 'answers', hashOf(id))).catch(() => null),
    async writeScript(text) {
      await makeFolder('');
      const path = join(folder, 'script');
      await writeFileAtomic(path, text, 0o700);
      return path;
    },
  };
}
