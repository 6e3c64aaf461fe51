/** Whether a disk may be overwritten, and the disks of a machine as text. */
import {formatBytes} from '../../formats/units.ts';
import {InstallerError} from './errors.ts';
import type {DiskUse, ListedDisk} from './list-disks.ts';

/** Throws InstallerError 'refused' unless nothing is lost but what is on the disk, or `force` says so. */
export function requireUnused(
  {path, uses, isReadOnly}: Pick<ListedDisk, 'path' | 'uses' | 'isReadOnly'>,
  force: boolean,
): void {
  if (isReadOnly) throw new InstallerError('refused', `${path} is read-only`);
  if (uses.length === 0 || force) return;
  const reason = uses.some(({isSystem}) => isSystem) ? 'is what this system runs from' : 'is in use';
  throw new InstallerError('refused', `${path} ${reason}: ${describeUses(uses)}`, {
    hint: 'unmount it, or name another disk (caisson-install --list); with --force it is overwritten all the same',
  });
}

export function describeUses(uses: readonly DiskUse[]): string {
  return [...new Set(uses.map(({text}) => text))].join(', ');
}

/** One line for each disk. */
export function describeDisks(disks: readonly ListedDisk[], minimumBytes: number): string {
  if (disks.length === 0) return 'This machine has no disk.\n';
  const rows = disks.map((disk) => [
    disk.path,
    formatBytes(disk.bytes),
    disk.model || '-',
    noteOf(disk, minimumBytes),
  ]);
  const head = ['DISK', 'SIZE', 'MODEL', 'USE'];
  const widths = head.map((word, column) =>
    Math.max(word.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((word, column) =>
          column === 1 ? word.padStart(widths[1] ?? 0) : word.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function noteOf(
  {bytes, uses, partitions, isReadOnly, isRemovable, sectorSize}: ListedDisk,
  minimumBytes: number,
): string {
  const notes: string[] = [];
  if (uses.some(({isSystem}) => isSystem)) notes.push('this system');
  if (uses.length > 0) notes.push(describeUses(uses));
  else notes.push(partitions === 0 ? 'free, no partitions' : `free, ${partitions} partitions`);
  if (isReadOnly) notes.push('read-only');
  if (isRemovable) notes.push('removable');
  if (sectorSize !== 512) notes.push(`sectors of ${sectorSize}`);
  if (bytes < minimumBytes) notes.push('too small');
  return notes.join('; ');
}
