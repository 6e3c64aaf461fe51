/** What a release calls itself, in os-release and everywhere that is derived from it. */
import {createHash} from 'node:crypto';
import type {OsRelease} from '../formats/os-release.ts';
import type {Definition} from './definition.ts';
import {type PackageLock, formatLock} from './lock.ts';

/**
 * The build's number: the date of the packages and a hash over everything that goes into /usr, so that two builds
 * with the same number are the same build.
 */
export function buildIdOf(lock: PackageLock, usrInputs: Readonly<Record<string, string>>): string {
  const date = new Date(lock.sourceDate * 1000).toISOString().slice(0, 10).replaceAll('-', '');
  const hash = createHash('sha256')
    .update(formatLock(lock))
    .update(JSON.stringify(Object.entries(usrInputs).sort()));
  return `${date}-${hash.digest('hex').slice(0, 10)}`;
}

export function osReleaseOf(
  definition: Definition,
  lock: PackageLock,
  usrInputs: Readonly<Record<string, string>>,
): OsRelease {
  const {name, id, version, channel, home} = definition;
  return new Map([
    ['NAME', name],
    ['PRETTY_NAME', `${name} ${version}`],
    ['ID', id],
    ['ID_LIKE', 'debian'],
    ['VERSION', version],
    ['VERSION_ID', version],
    ['BUILD_ID', buildIdOf(lock, usrInputs)],
    ['IMAGE_ID', id],
    ['IMAGE_VERSION', version],
    ['CAISSON_CHANNEL', channel],
    // Seconds since 1970: a payload made for older systems is refused by it.
    ['CAISSON_SOURCE_DATE', String(lock.sourceDate)],
    ['HOME_URL', home],
    ['DEFAULT_HOSTNAME', id],
    ['ANSI_COLOR', '0;36'],
  ]);
}
