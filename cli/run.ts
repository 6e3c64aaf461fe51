/** caisson run */
import {readFile} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {readDefinition} from '../build/main.ts';
import {CodedError} from '../formats/errors.ts';
import {readIgnitionConfig} from '../formats/ignition/read-config.ts';
import {type Release, fileOfRole} from '../formats/release.ts';
import {parseSize} from '../formats/units.ts';
import {start} from '../platform/exec.ts';
import {BUILD_PROGRAMS, RUN_PROGRAMS, installMissing, requirePrograms} from '../platform/host-packages.ts';
import {type Session, type SessionOptions, runSession} from '../qemu/session.ts';
import {FIRMWARE_NAMES} from '../update-engine/ignition/paths.ts';
import {DEFAULT_OUT_DIR, MACHINE_DIR, ROOT_DIR} from './paths.ts';
import {findRelease} from './releases.ts';
import {terminalLog} from './terminal.ts';

class RunError extends CodedError<'build-failed' | 'bad-forward'> {}

interface Arguments {
  release?: string;
  setup: boolean;
  disk?: string;
  'disk-size': string;
  memory: number;
  cpus: number;
  'ssh-port': number;
  forward: string[];
  append: string[];
  ignition?: string;
  pxe?: boolean;
  'http-boot'?: boolean;
  out: string;
}

export const runCommand = (signal: AbortSignal): CommandModule<object, Arguments> => ({
  command: 'run [release]',
  describe: 'Boot a release in QEMU, with its console in this terminal',
  builder: (yargs) =>
    yargs
      .positional('release', {
        type: 'string',
        describe: 'A version below out/ or the directory of a release; without it a release is built first',
      })
      .option('setup', {
        type: 'boolean',
        default: false,
        describe: 'Install what is missing on this machine first (apt, needs root)',
      })
      .option('disk', {
        type: 'string',
        describe: 'Keep the disk in this file; without it every run begins anew',
      })
      .option('disk-size', {
        type: 'string',
        default: '16 GiB',
        describe: 'Size of a new disk as the machine sees it',
      })
      .option('memory', {alias: 'm', type: 'number', default: 2048, describe: 'MiB of memory'})
      .option('cpus', {type: 'number', default: 2, describe: 'Processors'})
      .option('ssh-port', {
        type: 'number',
        default: 0,
        defaultDescription: 'a free one',
        describe: 'Port on 127.0.0.1 that leads to ssh',
      })
      .option('forward', {
        type: 'string',
        array: true,
        default: [],
        describe: 'More ports, HOST:GUEST, for example 8080:80',
      })
      .option('append', {type: 'string', array: true, default: [], describe: 'More kernel arguments'})
      .option('ignition', {
        type: 'string',
        describe: 'Config for the first boot (Ignition, JSON), handed over as firmware configuration',
      })
      .option('pxe', {
        type: 'boolean',
        conflicts: 'http-boot',
        describe: 'Start without a disk, by iPXE over TFTP and HTTP; --disk FILE adds an empty one',
      })
      .option('http-boot', {
        type: 'boolean',
        describe: 'Start without a disk, by the HTTP boot of the UEFI firmware',
      })
      .option('out', {
        type: 'string',
        default: DEFAULT_OUT_DIR,
        defaultDescription: 'out/',
        describe: 'Where releases are',
      })
      .example('$0 run', 'build what is missing and boot it')
      .example('$0 run 0.1.0 --disk my.qcow2', 'keep the disk between runs'),
  handler: async (argv) => {
    await prepareHost(argv.setup);
    const outDir = resolve(argv.out);
    const name = argv.release ?? (await buildFirst(outDir));
    const {directory, release} = await findRelease(outDir, name);
    const netBoot = netBootOf(argv, directory, release);
    process.exitCode = await runSession({
      folder: MACHINE_DIR,
      image: netBoot === undefined ? join(directory, fileOfRole(release, 'disk')) : null,
      netBoot,
      sectorBytes: release.sectorSize,
      diskFile: argv.disk === undefined ? undefined : resolve(argv.disk),
      diskBytes: parseSize(argv['disk-size']),
      memoryMiB: argv.memory,
      cpus: argv.cpus,
      sshPort: argv['ssh-port'],
      user: 'core',
      forwards: argv.forward.map(parseForward),
      kernelArguments: argv.append,
      firmwareConfig:
        argv.ignition === undefined ? {} : {[FIRMWARE_NAMES[0]]: await checkedConfig(argv.ignition)},
      welcome: `\n  From another terminal  ./caisson ssh\n${WELCOME}\n\n`,
      signal,
      onStart: (session) => {
        process.stderr.write(
          `${banner(session, `${release.name} ${release.version}`, directory, describeDisk(argv))}\n`,
        );
      },
    });
  },
});

function netBootOf(
  {pxe, 'http-boot': httpBoot}: Arguments,
  directory: string,
  release: Release,
): SessionOptions['netBoot'] {
  if (pxe === true) return {kind: 'ipxe', release: directory, file: fileOfRole(release, 'live-script')};
  if (httpBoot === true) return {kind: 'http', release: directory, file: fileOfRole(release, 'live-uki')};
  return undefined;
}

/** A machine that stops half-way for a mistake costs minutes; here it costs nothing. Throws IgnitionError. */
async function checkedConfig(file: string): Promise<string> {
  const path = resolve(file);
  readIgnitionConfig(await readFile(path), file);
  return path;
}

async function prepareHost(mayInstall: boolean): Promise<void> {
  const programs = [...BUILD_PROGRAMS, ...RUN_PROGRAMS];
  const path = process.env['PATH'] ?? '';
  if (!mayInstall) return requirePrograms(programs, path);
  const log = terminalLog(false);
  let packages: readonly string[] = [];
  await log.step('Checking what this machine has', (progress) =>
    installMissing(programs, {
      path,
      isRoot: process.getuid?.() === 0,
      onInstall: (names) => log.info(`Installing with apt: ${(packages = names).join(' ')}`),
      onLine: (line) => progress.note(line),
    }),
  );
  if (packages.length > 0) log.info('Installed');
}

/**
 * Builds what os.yaml says and returns its version. In a process of its own, because a build enters namespaces that
 * QEMU has no use for.
 */
async function buildFirst(outDir: string): Promise<string> {
  const build = start([join(ROOT_DIR, 'caisson'), 'build', '--out', outDir], {stdio: 'inherit'});
  const {exitCode} = await build.ended;
  if (exitCode !== 0) throw new RunError('build-failed', 'the build failed; there is nothing to run');
  return (await readDefinition({rootDir: ROOT_DIR})).version;
}

function parseForward(text: string): {hostPort: number; guestPort: number} {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const [hostPort, guestPort] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || hostPort > 65_535 || guestPort > 65_535 || guestPort === 0) {
    throw new RunError('bad-forward', `--forward ${text} is not HOST:GUEST`, {
      hint: 'for example --forward 8080:80',
    });
  }
  return {hostPort, guestPort};
}

function describeDisk({disk, pxe, 'http-boot': httpBoot}: Arguments): string {
  if (disk !== undefined) return disk;
  if (pxe === true || httpBoot === true) return 'none: it runs from memory, started over the network';
  return 'new, thrown away at the end (keep one with --disk FILE)';
}

function banner(session: Session, name: string, directory: string, disk: string): string {
  const {acceleration} = session;
  const speed =
    acceleration.accelerator === 'kvm'
      ? 'with KVM'
      : `by emulation, which is slow: expect a minute or two (${acceleration.reason})`;
  return [
    '',
    `  ${name} boots in QEMU ${speed}`,
    `  Files of the release   ${directory}`,
    `  Disk                   ${disk}`,
    `  This terminal          is the console; user ${session.user} is logged in without a password`,
    `  From another one       ./caisson ssh     (port ${session.port} of 127.0.0.1, key ${session.identityFile})`,
    WELCOME,
    '',
  ].join('\n');
}

const WELCOME = '  To leave               sudo poweroff, or Ctrl-A then X to cut the power';
