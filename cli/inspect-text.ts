/** Releases and disks as people read them. */
import {describeSize} from '../build/budgets.ts';
import type {ListedPackage, ReleaseInspection} from '../build/inspection.ts';
import type {Release} from '../formats/release.ts';
import {formatBytes} from '../formats/units.ts';
import type {DiskInspection, SlotFacts} from '../image/disk-inspection.ts';
import type {UkiState, UsrState} from '../formats/slot/parts.ts';

export function releaseText(inspection: ReleaseInspection): string[] {
  const {release, directory, uki, usr, disk, unlisted, isVerified} = inspection;
  const width = Math.max(...Object.keys(release.files).map((name) => name.length));
  return [
    `${release.name} ${release.version} (${release.buildId}), channel ${release.channel}`,
    field('Directory', directory),
    field('Kernel', `Linux ${release.kernelRelease}`),
    field('Source date', `${dateText(release.sourceDate)} (${release.sourceDate})`),
    field('Packages', String(release.packages)),
    field('/usr', usrText(usr)),
    field('Root hash', release.usr.rootHash),
    field('UKI', ukiText(uki)),
    ...keysText(release),
    '',
    'Sizes against their budgets',
    ...Object.entries(release.sizes).map(([what, size]) => `  ${describeSize({what, ...size})}`),
    '',
    isVerified ? 'Files, with their content checked' : 'Files (--verify checks their content)',
    ...Object.entries(release.files).map(
      ([name, {role, bytes, sha256}]) =>
        `  ${name.padEnd(width)}  ${formatBytes(bytes).padStart(8)}  ${sha256.slice(0, 12)}  ${role}`,
    ),
    ...(unlisted.length > 0 ? [`  not part of the release: ${unlisted.join(', ')}`] : []),
    ...(disk === undefined ? [] : ['', ...diskText(disk)]),
    ...problemText(inspection.problems),
  ];
}

/** Whose signatures hosts of this release accept, each by its whole fingerprint: that is what one compares. */
function keysText({updateKeys, channelKeys}: Release): string[] {
  const listed = (title: string, keys: Release['updateKeys']): string[] =>
    keys.map(({name, sha256}, index) => field(index === 0 ? title : '', `${sha256} (${name})`));
  const none = field('Update keys', 'none; its hosts refuse every update');
  return [
    ...(updateKeys.length === 0 ? [none] : listed('Update keys', updateKeys)),
    ...listed('Channel keys', channelKeys),
  ];
}

export function diskText(disk: DiskInspection): string[] {
  const {table} = disk;
  const health = `primary ${table.primary}, backup ${table.backup}${table.agree ? ', both the same' : ''}`;
  const {letter, reason} = disk.boot;
  return [
    `Disk of ${formatBytes(disk.bytes)} in sectors of ${disk.sectorSize} bytes, GUID ${disk.diskGuid}`,
    field('Table', health),
    ...disk.partitions.map(({number, label, offset, bytes, guid}) => {
      const place = `${formatBytes(bytes).padStart(8)} from byte ${String(offset).padEnd(11)}`;
      return `  ${String(number).padStart(2)}  ${label.padEnd(11)} ${place} ${guid}`;
    }),
    ...disk.espFiles.map(({path, bytes}) => `  ESP /${path}: ${formatBytes(bytes)}`),
    ...disk.slots.flatMap(slotText),
    field('Next start', letter === null ? `none: ${reason}` : `slot ${letter}: ${reason}`),
  ];
}

export function problemText(problems: readonly string[]): string[] {
  return problems.length === 0 ? [] : ['', 'Problems', ...problems.map((problem) => `  ${problem}`)];
}

export function packagesText(packages: readonly ListedPackage[]): string[] {
  return packages
    .filter(({set}) => set !== 'tools')
    .map(({name, version, architecture}) => `${name} ${version} ${architecture}`);
}

function slotText(slot: SlotFacts): string[] {
  const {letter, label, priority, tries, successful, uki, usr, faults} = slot;
  const bits = `priority ${priority}, ${tries} tries left, ${successful ? 'successful' : 'not successful'}`;
  const isEmpty = uki.kind === 'missing' && usr.kind === 'empty';
  return [
    `Slot ${letter} (${label}): ${bits}`,
    field('UKI', ukiText(uki)),
    field('/usr', usrText(usr)),
    isEmpty
      ? field('Verdict', 'empty')
      : field('Verdict', faults.length === 0 ? 'UKI and /usr belong together' : faults.join('; ')),
  ];
}

function ukiText(uki: UkiState): string {
  if (uki.kind === 'missing') return 'none';
  if (uki.kind === 'damaged') return `damaged: ${uki.reason}`;
  const {version, buildId, channel, kernelRelease, bytes} = uki;
  return `version ${version} (${buildId}), channel ${channel}, Linux ${kernelRelease}, ${formatBytes(bytes)}`;
}

function usrText(usr: UsrState): string {
  if (usr.kind === 'empty') return 'empty';
  if (usr.kind === 'damaged') return `damaged: ${usr.reason}`;
  const checked = usr.isVerified ? 'every block verified' : 'tree not walked';
  return `erofs and verity, ${formatBytes(usr.bytes)}, of ${dateText(usr.madeAt)}, ${checked}`;
}

function field(name: string, value: string): string {
  return `  ${name.padEnd(12)} ${value}`;
}

function dateText(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
