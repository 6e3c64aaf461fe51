/** caisson-install from its arguments to its exit: look, check everything that can be checked, then write. */
import {type KeyObject, randomBytes, randomUUID} from 'node:crypto';
import {mkdtemp, rm, stat} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseGuid} from '../../formats/guid.ts';
import {formatBytes} from '../../formats/units.ts';
import {decompress} from '../../platform/decompress.ts';
import {exec} from '../../platform/exec.ts';
import {withByteSource} from '../../platform/files.ts';
import type {Log} from '../../platform/log.ts';
import {applyPayload} from '../apply/apply.ts';
import type {CheckedSlot} from '../slots/check-slot.ts';
import type {InstallArguments, InstallCommand} from './arguments.ts';
import {HELP} from './arguments.ts';
import {embeddedAssets, readPayloadKeys, readSelector} from './assets.ts';
import {describeDisks, describeUses, requireUnused} from './choose.ts';
import {withInstallDisk} from './disk.ts';
import {InstallerError} from './errors.ts';
import {type DiskInstallation, type FilledRelease, installDisk} from './install.ts';
import {HOST_ROOTS, type ListedDisk, findDisk, listDisks} from './list-disks.ts';
import {checkConfig, makeOemImage} from './oem.ts';
import {followedBy, withOrigin} from './origin.ts';
import {stepLog} from './step-log.ts';
import {
  type DiskIdentifiers,
  type DiskShape,
  type InstallPlan,
  minimumDiskBytes,
  planInstall,
} from './plan.ts';
import {type KnownPayload, type PayloadOrigin, partitionInfo, readPayloadHead} from './sources.ts';

export interface InstallTerminal {
  out: (text: string) => void;
  log: Log;
  /** Whether the disk lost what made it bootable, for whoever reports a failure. */
  onTouched: (state: 'nothing' | 'wiped' | 'installed') => void;
  signal: AbortSignal;
}

interface ChosenDisk {
  path: string;
  /** Null for an image file. */
  device: ListedDisk | null;
  bytes: number;
  sectorSize: number;
}

/** Returns the exit code. Throws InstallerError, PayloadError, SlotError, HttpError, OmahaError, IgnitionError. */
export async function runInstaller(command: InstallCommand, terminal: InstallTerminal): Promise<number> {
  if (command.verb === 'help') {
    terminal.out(HELP);
    return 0;
  }
  if (command.verb === 'install') {
    await install(command, terminal);
    return 0;
  }
  const disks = await listDisks(HOST_ROOTS);
  terminal.out(
    command.isJson
      ? `${JSON.stringify({minimumBytes: minimumDiskBytes(), disks}, undefined, 2)}\n`
      : describeDisks(disks, minimumDiskBytes()),
  );
  if (command.isAsked) return 0;
  throw new InstallerError('usage', 'which disk? name it with -d', {hint: 'caisson-install --help'});
}

async function install(command: InstallArguments, terminal: InstallTerminal): Promise<void> {
  const {signal, log} = terminal;
  const assets = embeddedAssets();
  const disk = await chooseDisk(command);
  if (command.ignition !== null) for (const line of await checkConfig(command.ignition)) log.warn(line);
  const [keys, selector] = [await readPayloadKeys(command.keys, assets), await readSelector(assets)];
  const folder = await mkdtemp(join(tmpdir(), 'caisson-install-'));
  try {
    const follows = await followedBy(command);
    const oem = await makeOemImage(folder, {ignition: command.ignition, oem: command.oem, follows}, signal);
    await withOrigin(command, follows, assets, terminal, async (origin) => {
      const known = await readPayloadHead(origin, keys, signal);
      const sizes = {
        usr: partitionInfo(known.manifest, 'usr').bytes,
        uki: partitionInfo(known.manifest, 'kernel').bytes,
        selector: selector.length,
      };
      const plan = planInstall(shapeOf(disk), sizes, newIdentifiers(), Date.now());
      log.info(
        `${known.candidate.version} from ${origin.place} (${formatBytes(known.bytes)}, signature good) to ${describe(disk)}`,
      );
      if (command.isDryRun) {
        log.info('Dry run: nothing was written.');
        return;
      }
      const checked = await withByteSource(oem, async (oemSource) =>
        withInstallDisk(
          {
            ...{path: disk.path, sectorSize: disk.sectorSize, force: command.force, signal},
            bytes: disk.device === null ? null : disk.bytes,
          },
          async (opened) => {
            const steps = stepLog(log, known.bytes);
            try {
              const result = await installDisk({
                ...{disk: opened, plan, selector, oem: oemSource, signal},
                fill: (targets) => fill(origin, known, {keys, targets, signal, onBytes: steps.onBytes}),
                onStep: (step) => {
                  if (step === 'wipe') terminal.onTouched('wiped');
                  steps.begin(step);
                },
              });
              terminal.onTouched('installed');
              await steps.end();
              return result;
            } catch (error) {
              await steps.fail(error);
              throw error;
            }
          },
        ),
      );
      if (disk.device !== null) await rereadTable(disk.path, log);
      report(command, disk, plan, checked, terminal);
    });
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

async function chooseDisk({device, force, sectorSize}: InstallArguments): Promise<ChosenDisk> {
  const info = await stat(device).catch((error: unknown) => {
    throw new InstallerError('refused', `there is no ${device}`, {
      cause: error,
      hint: 'caisson-install --list shows the disks of this machine',
    });
  });
  if (info.isFile()) return {path: device, device: null, bytes: info.size, sectorSize};
  const found = info.isBlockDevice() ? await findDisk(await listDisks(HOST_ROOTS), device) : undefined;
  if (found === undefined)
    throw new InstallerError('refused', `${device} is no whole disk and no image file`, {
      hint: 'name the disk, not a partition: caisson-install --list',
    });
  requireUnused(found, force);
  return {path: found.path, device: found, bytes: found.bytes, sectorSize: found.sectorSize};
}

function shapeOf({path, bytes, sectorSize}: ChosenDisk): DiskShape {
  if (sectorSize !== 512 && sectorSize !== 4096)
    throw new InstallerError('refused', `${path} has sectors of ${sectorSize} bytes, not 512 or 4096`);
  return {path, bytes, sectorSize};
}

function newIdentifiers(): DiskIdentifiers {
  const guids = new Map<string, string>();
  return {
    disk: parseGuid(randomUUID()),
    partition(label) {
      const guid = guids.get(label) ?? parseGuid(randomUUID());
      guids.set(label, guid);
      return guid;
    },
    espVolume: randomBytes(4).readUInt32LE(),
  };
}

async function fill(
  origin: PayloadOrigin,
  known: KnownPayload,
  {
    keys,
    targets,
    signal,
    onBytes,
  }: {
    keys: readonly KeyObject[];
    targets: Parameters<DiskInstallation['fill']>[0];
    signal: AbortSignal;
    onBytes: (done: number) => void;
  },
): Promise<FilledRelease> {
  const {manifest} = await applyPayload({
    open: (offset, stop) => origin.open(offset, stop),
    ...{keys, targets, signal, decompress},
    ...(origin.expected === null ? {} : {expected: origin.expected}),
    // Whoever is interrupted begins anew: what is on the disk by then is worth nothing.
    progress: {load: () => Promise.resolve(null), save: () => Promise.resolve()},
    // The installer reads back itself, and looks at verity in the same pass.
    readBack: false,
    onProgress: ({bytes}) => onBytes(bytes),
    accept(found) {
      for (const name of ['usr', 'kernel'] as const) {
        const [now, before] = [partitionInfo(found, name), partitionInfo(known.manifest, name)];
        if (now.bytes !== before.bytes || Buffer.compare(now.sha256, before.sha256) !== 0)
          throw new InstallerError('no-release', `${origin.place} was replaced while it was looked at`);
      }
    },
  });
  const {product, architecture, version} = known.candidate;
  return {
    usr: partitionInfo(manifest, 'usr'),
    uki: partitionInfo(manifest, 'kernel'),
    product: {id: product ?? '', architecture: architecture ?? '', version},
  };
}

/** The kernel looks again; a disk of which somebody has an old partition keeps its old view until a reboot. */
async function rereadTable(path: string, log: Log): Promise<void> {
  await exec(['blockdev', '--rereadpt', path], {timeoutMs: 60_000}).catch(() =>
    log.warn(`this system still sees the old partitions of ${path}; they are gone after a reboot`),
  );
}

function describe({path, device, bytes}: ChosenDisk): string {
  const words = [formatBytes(bytes), device?.model ?? 'image file'].filter((word) => word !== '');
  const used =
    device === null || device.uses.length === 0 ? '' : `, in spite of: ${describeUses(device.uses)}`;
  return `${path} (${words.join(', ')}${used})`;
}

function report(
  {isJson, ignition}: InstallArguments,
  {path, sectorSize, bytes}: ChosenDisk,
  plan: InstallPlan,
  {version, buildId, rootHash, partitionGuid}: CheckedSlot,
  {out}: InstallTerminal,
): void {
  if (isJson) {
    const {diskGuid} = plan.tableOf(partitionGuid);
    const facts = {device: path, bytes, sectorSize, version, buildId, rootHash, diskGuid};
    out(`${JSON.stringify(facts, undefined, 2)}\n`);
    return;
  }
  const config = ignition === null ? '' : ', and the first boot applies your config';
  out(`${path} boots Caisson ${version} (${buildId}) now${config}.\n`);
}
