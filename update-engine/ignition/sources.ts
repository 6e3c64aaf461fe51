/**
 * Where the config of a first boot comes from. The first source that has one counts, alone; cloud-config and scripts in
 * the same places are caisson-cloudinit's. What is there and unreadable stops the boot: the next source would configure
 * a host that somebody wanted otherwise.
 */
import {readFile, stat} from 'node:fs/promises';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {type IgnitionConfig, MAX_IGNITION_BYTES, readCandidate} from '../../formats/ignition/read-config.ts';
import {kernelArgument} from '../../formats/kernel-arguments.ts';
import {pathExists} from '../../platform/files.ts';
import {type FirstBootHost, at} from './host.ts';
import {FIRMWARE_NAMES, IGNITION_PATHS} from './paths.ts';

export type Found =
  /** Ignition fetches it itself. */
  | {readonly kind: 'url'; readonly where: string}
  /** A cloud's own service, which Ignition knows by this name. */
  | {readonly kind: 'platform'; readonly where: string; readonly id: string}
  | {readonly kind: 'config'; readonly where: string; readonly config: IgnitionConfig};

/** These have no service of their own: what they offer is among the files below. */
const PLATFORMS_WITHOUT_SERVICE = ['metal', 'qemu', 'file'];

/** Null when nobody gave this host a config. Throws IgnitionError. */
export async function findConfig(host: FirstBootHost): Promise<Found | null> {
  const commandLine = await readFile(at(host, IGNITION_PATHS.commandLine), 'utf8');
  const url = kernelArgument(commandLine, 'ignition.config.url');
  if (url !== null) return {kind: 'url', where: checkedUrl(url)};
  const files = [
    ...FIRMWARE_NAMES.map((name) => ({
      path: `${IGNITION_PATHS.firmware}/${name}/raw`,
      where: `fw_cfg ${name}`,
    })),
    {path: IGNITION_PATHS.credential, where: 'credential caisson.ignition'},
    {path: IGNITION_PATHS.oem, where: 'config.ign of the OEM partition'},
    {path: IGNITION_PATHS.image, where: IGNITION_PATHS.image},
  ];
  const platform = kernelArgument(commandLine, 'ignition.platform.id');
  for (const {path, where} of files) {
    if (!(await pathExists(at(host, path)))) continue;
    const candidate = readCandidate(await readBounded(at(host, path), where), where);
    if (candidate.kind === 'ignition') return {kind: 'config', where, config: candidate.config};
  }
  if (platform === null || PLATFORMS_WITHOUT_SERVICE.includes(platform)) return null;
  if (!/^[a-z0-9]{1,30}$/.test(platform))
    throw new IgnitionError('bad-config', `ignition.platform.id=${platform.slice(0, 60)} is no platform`);
  return {kind: 'platform', where: `platform ${platform}`, id: platform};
}

function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^(https?|tftp|s3|gs|data):/.test(url)) return url;
  throw new IgnitionError(
    'bad-config',
    `ignition.config.url=${url.slice(0, 200)} is no address that Ignition reads`,
    {
      hint: 'http, https, tftp, s3, gs or data',
    },
  );
}

async function readBounded(path: string, where: string): Promise<Uint8Array> {
  const {size} = await stat(path);
  // Files below /sys may say nothing of their size; what they hold is checked by the reader.
  if (size > MAX_IGNITION_BYTES)
    throw new IgnitionError('too-large', `${where}: ${size} bytes, more than ${MAX_IGNITION_BYTES}`);
  return readFile(path);
}
