/**
 * What can be told while the engine is not running: the release, what waits or is denied by the documents on ROOT, and the
 * slots, for those who may read the disk. Reads only; a document that makes no sense is passed over and left alone.
 */
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {readIdentity} from '../identity.ts';
import {type HostPaths, STATE_FILES} from '../paths.ts';
import {findHostDisk} from '../slots/host-disk.ts';
import {describeBits} from '../slots/table-changes.ts';
import {type SlotsNow, readSlotsNow} from '../slots/slots-now.ts';
import {deniedSchema, healthSchema, pendingSchema} from '../state/documents.ts';

export interface OfflineSlots {
  active: string;
  now: SlotsNow;
}

/** The slots of this host. Throws SlotError, GptError, or the system's refusal. */
export async function readHostSlots(): Promise<OfflineSlots> {
  const disk = await findHostDisk();
  return {active: disk.active, now: await readSlotsNow(disk)};
}

export async function describeOffline(
  paths: HostPaths,
  readSlots: () => Promise<OfflineSlots>,
): Promise<string> {
  const {version, buildId} = await readIdentity(paths);
  const [pending, denied, health] = await Promise.all([
    readDocument(paths, STATE_FILES.pending, pendingSchema),
    readDocument(paths, STATE_FILES.denied, deniedSchema),
    readDocument(paths, STATE_FILES.health, healthSchema),
  ]);
  const rows: [string, string][] = [['running', `${version} (${buildId})`], ...(await slotRows(readSlots))];
  if (pending !== null) rows.push(['installed', `${pending.version} in slot ${pending.slot}`]);
  for (const entry of denied?.denied ?? []) rows.push(['denied', `${entry.version}: ${entry.reason}`]);
  if (health !== null) rows.push(['health', `${health.version} ${health.outcome}`]);
  return rows.map(([name, text]) => `${name.padEnd(9)}  ${text}\n`).join('');
}

async function slotRows(readSlots: () => Promise<OfflineSlots>): Promise<[string, string][]> {
  try {
    const {active, now} = await readSlots();
    const slots = now.slots.map((slot): [string, string] => {
      const {letter, uki} = slot;
      const what = uki.kind === 'uki' ? `${uki.version} (${uki.buildId})` : 'nothing that can be read';
      return [`slot ${letter}`, `${what}; ${describeBits(slot)}${letter === active ? '; running' : ''}`];
    });
    return [...slots, ['next boot', `slot ${now.boot.letter ?? 'none'}: ${now.boot.reason}`]];
  } catch (error) {
    const code = (error as {code?: unknown}).code;
    const isForbidden = code === 'EACCES' || code === 'EPERM';
    const message = error instanceof Error ? error.message : String(error);
    return [['slots', isForbidden ? 'only root may read the disk: put sudo before it' : message]];
  }
}

interface Schema<T> {
  safeParse(value: unknown): {success: true; data: T} | {success: false};
}

async function readDocument<T>(paths: HostPaths, name: string, schema: Schema<T>): Promise<T | null> {
  try {
    const result = schema.safeParse(JSON.parse(await readFile(join(paths.state, name), 'utf8')));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}
