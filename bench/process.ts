/** What the kernel accounts to a process: time of processors and memory. */
import {readFile} from 'node:fs/promises';

/** Of Linux on x86 (sysconf(_SC_CLK_TCK)). */
const TICKS_A_SECOND = 100;
/** V8 puts memory of WebAssembly before a reservation of gigabytes that nobody may touch, so that bounds need no check. */
const GUARD_BYTES = 2 ** 31;

/** Of all its threads, in user space and for it in the kernel. */
export async function readCpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  // After the name, which may hold anything: state is field 3, utime and stime are 14 and 15 (proc(5)).
  const fields = stat.replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** Resident bytes, and how many of them are memory of WebAssembly. */
export async function readMemory(pid: number): Promise<{resident: number; webAssembly: number}> {
  const [status, smaps] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'latin1'),
    readFile(`/proc/${pid}/smaps`, 'latin1'),
  ]);
  const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  return {resident, webAssembly: residentBeforeGuards(smaps)};
}

function residentBeforeGuards(smaps: string): number {
  const mappings = [
    ...smaps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S{4}) .*\n(?:\S+:.*\n)*?Rss:\s+(\d+) kB$/gm),
  ].map(([, from = '', to = '', rights = '', kilobytes = '']) => ({
    from: Number.parseInt(from, 16),
    to: Number.parseInt(to, 16),
    rights,
    bytes: Number(kilobytes) * 1024,
  }));
  return mappings
    .filter(({to, rights}, index) => {
      const guard = mappings[index + 1];
      return (
        rights.startsWith('rw') &&
        guard !== undefined &&
        guard.rights.startsWith('---') &&
        guard.from === to &&
        guard.to - guard.from >= GUARD_BYTES
      );
    })
    .reduce((sum, {bytes}) => sum + bytes, 0);
}
