/**
 * A first boot, from finding the config to the note that the host is configured.
 *
 * The marker on ROOT says that the first boot is not over; it goes last, after everything else is on the disk. A boot
 * that ends before, by a power cut or because Ignition failed, is a first boot again: overlays/initrd empties ROOT then,
 * because Ignition refuses to write a file that is there already, and nothing on ROOT can be anybody's yet.
 */
import {mkdir, readFile, rename, rm, stat, symlink} from 'node:fs/promises';
import {createHash} from 'node:crypto';
import {dirname} from 'node:path';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {refusalsOf} from '../../formats/ignition/limits.ts';
import {unitChoices} from '../../formats/ignition/presets.ts';
import {pathExists, syncDirectory, writeFileAtomic} from '../../platform/files.ts';
import {protectBootDisk} from './boot-disk.ts';
import {tellEarlierFailure} from './failure.ts';
import {type FirstBootHost, at} from './host.ts';
import {labellingNothing} from './label-nothing.ts';
import {noteWhatIsNew, removeLeftovers} from './leftovers.ts';
import {bringNetworkUp, takeNetworkDown} from './network.ts';
import {IGNITION_PATHS} from './paths.ts';
import {type Found, findConfig} from './sources.ts';
import {type Stage, runStage} from './stages.ts';

/** Directories that accounts and files of a config expect: what every boot makes, made early. */
const STATE_PREFIXES = ['/etc', '/home', '/mnt', '/opt', '/root', '/srv', '/var'];

/** Throws IgnitionError; the marker is still there then. */
export async function configureFirstBoot(host: FirstBootHost): Promise<void> {
  await tellEarlierFailure(host);
  const found = await findConfig(host);
  if (found === null) {
    host.note('no config for Ignition');
    return endFirstBoot(host);
  }
  host.show(`first boot: applying the Ignition config from ${found.where}`);
  await prepare(found, host);
  const options = {platform: found.kind === 'platform' ? found.id : 'metal'};
  const run = (stage: Stage): Promise<void> => runStage(stage, options, host);
  await run('fetch-offline');
  const needsNetwork = await pathExists(at(host, IGNITION_PATHS.needsNetwork));
  if (needsNetwork) await bringNetworkUp(host);
  if (!(await pathExists(at(host, IGNITION_PATHS.merged)))) await run('fetch');
  const merged = await readFile(at(host, IGNITION_PATHS.merged));
  const config: unknown = JSON.parse(merged.toString('utf8'));
  await refuse(config, host);

  await writeFileAtomic(at(host, IGNITION_PATHS.begun), '');
  await run('disks');
  await labellingNothing(host, async () => {
    await run('mount');
    await makeStateDirectories(host);
    await removeLeftovers(host);
    await noteWhatIsNew(config, host);
    await run('files');
    await enableUnits(host);
  });
  await writeRecord(found, merged, host);
  await run('umount');
  if (needsNetwork) await takeNetworkDown(host);
  await endFirstBoot(host);
  // It may hold hashes of passwords, and /run lives on.
  await rm(at(host, IGNITION_PATHS.merged), {force: true});
  await rm(at(host, IGNITION_PATHS.configs), {recursive: true, force: true});
  host.show('first boot: the host is configured');
}

async function prepare(found: Found, host: FirstBootHost): Promise<void> {
  const target = at(host, IGNITION_PATHS.target);
  // Its parents are for everybody: keys of users are written as these users.
  await mkdir(target, {recursive: true, mode: 0o755});
  const configs = at(host, IGNITION_PATHS.configs);
  await rm(configs, {recursive: true, force: true});
  await mkdir(configs, {recursive: true, mode: 0o700});
  await mkdir(at(host, IGNITION_PATHS.work), {recursive: true, mode: 0o700});
  await host.exec(['mount', '--rbind', '--make-rprivate', at(host, '/'), target], {timeoutMs: 60_000});
  if (found.kind === 'config') await writeFileAtomic(`${configs}/user.ign`, found.config.text, 0o600);
  // What the image itself wants for every host is merged below.
  if (await pathExists(at(host, IGNITION_PATHS.imageBase)))
    await symlink(at(host, IGNITION_PATHS.imageBase), `${configs}/base.d`);
}

/** The config as a whole, with all that it merges: only now is known what it wants. */
async function refuse(config: unknown, host: FirstBootHost): Promise<void> {
  const refusals = refusalsOf(config);
  if (refusals.length > 0)
    throw new IgnitionError('bad-config', refusals.map(({text}) => text).join('\n'), {
      hint: 'see docs/ignition.md for what a config may ask',
    });
  const {dev} = await stat(at(host, '/'));
  await protectBootDisk(config, deviceNumber(dev), host);
}

/** As gnu_dev_major and gnu_dev_minor take a device number apart. */
export function deviceNumber(dev: number): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xfff_ff00n);
  return `${major}:${minor}`;
}

async function makeStateDirectories(host: FirstBootHost): Promise<void> {
  const prefixes = STATE_PREFIXES.map((path) => `--prefix=${path}`);
  // Exit code 65 means that a line could not be used: every boot says so once more.
  const root = `--root=${at(host, IGNITION_PATHS.target)}`;
  await host.exec(['systemd-tmpfiles', root, '--create', ...prefixes], {
    okCodes: [0, 65],
    timeoutMs: 120_000,
  });
}

/**
 * Ignition leaves a preset file and trusts systemd to look at it on the first boot. Here the presets of the image end
 * with `disable *`, and the host has its id already, so that no such pass is made: what the config names is enabled one
 * by one. A unit that does not exist is an error that names it.
 */
async function enableUnits(host: FirstBootHost): Promise<void> {
  const path = at(host, IGNITION_PATHS.presets);
  if (!(await pathExists(path))) return;
  for (const {verb, unit} of unitChoices(await readFile(path, 'utf8'))) {
    try {
      const root = `--root=${at(host, IGNITION_PATHS.target)}`;
      await host.exec(['systemctl', root, verb, unit], {timeoutMs: 60_000});
    } catch (error) {
      throw new IgnitionError('bad-config', `systemd.units: cannot ${verb} ${unit}`, {
        cause: error,
        hint: 'is there such a unit, in the config or in the release? has it an [Install] section that is right?',
      });
    }
  }
}

/** What was applied, for people: Ignition's own result says when, not what. */
async function writeRecord(found: Found, merged: Uint8Array, host: FirstBootHost): Promise<void> {
  const path = at(host, IGNITION_PATHS.record);
  await mkdir(dirname(path), {recursive: true});
  const record = {
    source: found.where,
    configSha256: found.kind === 'config' ? sha256(found.config.text) : null,
    mergedSha256: sha256(merged),
    appliedAt: new Date(host.now()).toISOString(),
  };
  await writeFileAtomic(path, `${JSON.stringify(record, null, 2)}\n`);
}

async function endFirstBoot(host: FirstBootHost): Promise<void> {
  await host.exec(['sync', '--file-system', at(host, '/')], {timeoutMs: 10 * 60_000});
  // One rename, whatever is in the marker: half of a removal would be a first boot that never began.
  const over = at(host, `${IGNITION_PATHS.marker}-over`);
  await rename(at(host, IGNITION_PATHS.marker), over);
  await syncDirectory(at(host, '/'));
  await rm(over, {recursive: true});
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}
