/**
 * Reads and writes the documents in the state folder. Every write is atomic and durable. A document that cannot be
 * read (a later version's, or damage) counts as absent and is moved aside: state on ROOT outlives a rollback, so an
 * older engine must live with what a newer one left.
 */
import {mkdir, readFile, rename, rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {z} from '../../formats/schema.ts';
import {syncDirectory, writeFileAtomic} from '../../platform/files.ts';
import {STATE_FILES} from '../paths.ts';
import {
  type Denied,
  type HealthReport,
  type Pending,
  type RebootDebt,
  deniedSchema,
  healthSchema,
  pendingSchema,
  rebootDebtSchema,
} from './documents.ts';

const MAX_DOCUMENT_BYTES = 1 << 20;

export interface StateStore {
  readonly folder: string;
  pending(): Promise<Pending | null>;
  setPending(pending: Pending | null): Promise<void>;
  denied(): Promise<Denied[]>;
  setDenied(denied: readonly Denied[]): Promise<void>;
  health(): Promise<HealthReport | null>;
  setHealth(report: HealthReport): Promise<void>;
  reboot(): Promise<RebootDebt | null>;
  setReboot(debt: RebootDebt | null): Promise<void>;
  /** For documents with a schema of their own. */
  read<Schema extends z.ZodType>(name: string, schema: Schema): Promise<z.infer<Schema> | null>;
  write(name: string, document: unknown): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Makes the folder when it is missing. `warn` hears of documents that could not be read. */
export async function openState(folder: string, warn: (text: string) => void): Promise<StateStore> {
  await mkdir(folder, {recursive: true, mode: 0o755});

  async function read<Schema extends z.ZodType>(
    name: string,
    schema: Schema,
  ): Promise<z.infer<Schema> | null> {
    const path = join(folder, name);
    const size = await stat(path).catch(() => undefined);
    if (size === undefined) return null;
    const value = size.size > MAX_DOCUMENT_BYTES ? undefined : parseJson(await readFile(path, 'utf8'));
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    warn(`${path} cannot be read and is moved aside`);
    await rename(path, `${path}.unreadable`);
    return null;
  }

  async function write(name: string, document: unknown): Promise<void> {
    await writeFileAtomic(join(folder, name), `${JSON.stringify(document, undefined, 2)}\n`);
  }

  async function remove(name: string): Promise<void> {
    await rm(join(folder, name), {force: true});
    await syncDirectory(folder);
  }

  return {
    folder,
    read,
    write,
    remove,
    pending: () => read(STATE_FILES.pending, pendingSchema),
    setPending: (pending) =>
      pending === null ? remove(STATE_FILES.pending) : write(STATE_FILES.pending, pending),
    reboot: () => read(STATE_FILES.reboot, rebootDebtSchema),
    setReboot: (debt) => (debt === null ? remove(STATE_FILES.reboot) : write(STATE_FILES.reboot, debt)),
    denied: async () => (await read(STATE_FILES.denied, deniedSchema))?.denied ?? [],
    setDenied: (denied) => write(STATE_FILES.denied, {denied}),
    health: () => read(STATE_FILES.health, healthSchema),
    setHealth: (report) => write(STATE_FILES.health, report),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
