/** Processes that were started: which there are, and the resident memory of one and all below it while it runs. */
import {readFileSync, readdirSync} from 'node:fs';
import {readFile, readdir} from 'node:fs/promises';
import {setTimeout} from 'node:timers/promises';

/** Short enough to see the programs that unpack one blob. */
const LOOK_EVERY_MS = 20;

export interface MemoryPeak {
  /** Of the process itself. */
  ownBytes: number;
  /** Of it and its descendants at one moment; pages that they share count more than once. */
  allBytes: number;
}

/** Programs of these names that this process has started and that still run. */
export function childPids(names: readonly string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, name = '', state = '', parent = ''] =
          /^\d+ \((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
        return Number(parent) === process.pid && state !== 'Z' && names.includes(name) ? [Number(pid)] : [];
      } catch {
        return [];
      }
    });
}

/** Looks until `ended`. */
export async function watchMemory(pid: number, ended: Promise<unknown>): Promise<MemoryPeak> {
  let isRunning = true;
  const stop = ended.then(
    () => (isRunning = false),
    () => (isRunning = false),
  );
  const peak = {ownBytes: 0, allBytes: 0};
  while (isRunning) {
    const processes = await readProcesses();
    let allBytes = 0;
    const own = processes.get(pid);
    for (const [each, {bytes, name}] of processes) {
      // Between its start and its program, a child shows the pages of its parent as if they were there twice.
      const isCopy = each !== pid && name === own?.name;
      if (!isCopy && isWithin(each, pid, processes)) allBytes += bytes;
    }
    peak.ownBytes = Math.max(peak.ownBytes, processes.get(pid)?.bytes ?? 0);
    peak.allBytes = Math.max(peak.allBytes, allBytes);
    await Promise.race([stop, setTimeout(LOOK_EVERY_MS)]);
  }
  return peak;
}

type Processes = ReadonlyMap<number, {parent: number; bytes: number; name: string}>;

function isWithin(pid: number, root: number, processes: Processes): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = processes.get(at)?.parent)
    if (at === root) return true;
  return false;
}

async function readProcesses(): Promise<Processes> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
      const field = (name: string): number =>
        Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
      const name = /^Name:\t(.*)$/m.exec(text)?.[1] ?? '';
      return [pid, {parent: field('PPid'), bytes: field('VmRSS') * 1024, name}] as const;
    }),
  );
  return new Map(found);
}
