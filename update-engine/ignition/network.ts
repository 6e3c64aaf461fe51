/**
 * The network for a config that has to be fetched: the host's own networkd and resolved, for as long as Ignition runs.
 * Rejected: network in every initrd, which hosts without such a config would carry and wait for.
 */
import {readdir, symlink} from 'node:fs/promises';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {type FirstBootHost, at} from './host.ts';
import {NETWORK_UNITS} from './paths.ts';

const WAIT_SECONDS = 120;

/** Throws IgnitionError when no card gets an address. */
export async function bringNetworkUp(host: FirstBootHost): Promise<void> {
  host.show('first boot: the config has to be fetched; asking for an address');
  await makeResolverFile(host);
  try {
    await host.exec(['systemctl', 'start', ...NETWORK_UNITS], {env: IN_INITRD, timeoutMs: 120_000});
  } catch (error) {
    throw new IgnitionError('bad-config', `the network does not start\n${await journalOfUnits(host)}`, {
      cause: error,
    });
  }
  try {
    await host.exec(
      [
        '/usr/lib/systemd/systemd-networkd-wait-online',
        '--any',
        '--operational-state=routable',
        `--timeout=${WAIT_SECONDS}`,
      ],
      {timeoutMs: (WAIT_SECONDS + 30) * 1000},
    );
  } catch (error) {
    throw new IgnitionError('bad-config', `no network card got an address within ${WAIT_SECONDS} s`, {
      cause: error,
      hint: 'check the cable and the DHCP server',
    });
  }
}

/** As tmpfiles.d makes it later in every boot; without it Ignition asks a name server on this machine. */
async function makeResolverFile(host: FirstBootHost): Promise<void> {
  const path = at(host, '/etc/resolv.conf');
  await symlink('../run/systemd/resolve/stub-resolv.conf', path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
}

/** Systemd says only that a unit failed, and nobody can look at this journal later. */
async function journalOfUnits(host: FirstBootHost): Promise<string> {
  const units = NETWORK_UNITS.flatMap((unit) => ['--unit', unit]);
  const options = ['--boot', '--lines=8', '--output=cat', '--no-pager'];
  try {
    return (await host.exec(['journalctl', ...options, ...units], {timeoutMs: 30_000})).stdout.trimEnd();
  } catch {
    return 'its journal cannot be read';
  }
}

/** Leaves the cards as a boot finds them: down and without addresses. */
export async function takeNetworkDown(host: FirstBootHost): Promise<void> {
  await host.exec(['systemctl', 'stop', ...NETWORK_UNITS], {env: IN_INITRD, timeoutMs: 60_000});
  for (const card of await readdir(at(host, '/sys/class/net'))) {
    if (card === 'lo') continue;
    await host.exec(['ip', 'address', 'flush', 'dev', card], {timeoutMs: 30_000});
    await host.exec(['ip', 'link', 'set', card, 'down'], {timeoutMs: 30_000});
  }
}

/** systemctl sees that it runs below another root, and would do nothing. */
const IN_INITRD = {SYSTEMD_IGNORE_CHROOT: '1'};
