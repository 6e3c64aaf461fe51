/** The zone of the clocks of this host: where /etc/localtime leads (localtime(5)). */
import {readlink} from 'node:fs/promises';
import {CodedError} from '../formats/errors.ts';
import {isZone} from '../formats/reboot-window/zone.ts';

export class HostZoneError extends CodedError<'unknown-zone'> {}

const LOCALTIME = '/etc/localtime';

/** A name of the IANA database; UTC without the link. Throws HostZoneError when it does not tell a name. */
export async function readHostZone(path = LOCALTIME): Promise<string> {
  let target: string;
  try {
    target = await readlink(path);
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'UTC';
    const why = code === 'EINVAL' ? 'is no link, so it has no name' : 'cannot be read';
    throw new HostZoneError('unknown-zone', `the zone of this host is not known: ${path} ${why}`, {
      cause: error,
      hint: 'timedatectl set-timezone, or set REBOOT_WINDOW_ZONE',
    });
  }
  const [, zone = target] = /(?:^|\/)zoneinfo\/(?:posix\/)?(.+)$/.exec(target) ?? [];
  if (isZone(zone)) return zone;
  throw new HostZoneError(
    'unknown-zone',
    `the zone of this host is not known: ${path} leads to ${target.slice(0, 200)}`,
    {hint: 'timedatectl set-timezone, or set REBOOT_WINDOW_ZONE'},
  );
}
