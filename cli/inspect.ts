/** caisson inspect */
import {stat} from 'node:fs/promises';
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {inspectRelease, readPackages} from '../build/inspection.ts';
import {CodedError} from '../formats/errors.ts';
import {inspectDisk} from '../image/disk-inspection.ts';
import type {VerifyOptions} from '../formats/slot/parts.ts';
import type {Progress} from '../platform/log.ts';
import {diskText, packagesText, problemText, releaseText} from './inspect-text.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';
import {findRelease} from './releases.ts';
import {terminalLog} from './terminal.ts';

class InspectError extends CodedError<'no-packages'> {}

interface Arguments {
  what?: string;
  packages: boolean;
  verify: boolean;
  json: boolean;
  out: string;
}

/** The text for people, the value for `--json`, and whether all is well. */
interface Report {
  lines: string[];
  value: unknown;
  problems: readonly string[];
}

type Inspect<T> = (verify: VerifyOptions | undefined) => Promise<T>;

export function inspectCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'inspect [what]',
    describe: 'Show what is in a release, in a raw disk image or on a disk',
    builder: (yargs) =>
      yargs
        .positional('what', {
          type: 'string',
          describe:
            'A version below out/, the directory of a release, or a disk; default is the newest release',
        })
        .option('packages', {
          type: 'boolean',
          default: false,
          describe: 'List the packages that were installed: name, version, architecture',
        })
        .option('verify', {
          type: 'boolean',
          default: false,
          describe: 'Read everything: files against their SHA-256, /usr against its root hash',
        })
        .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
        .option('out', {
          type: 'string',
          default: DEFAULT_OUT_DIR,
          defaultDescription: 'out/',
          describe: 'Where releases are',
        }),
    handler: async (argv) => {
      const {lines, value, problems} = await makeReport(argv, signal);
      const text = argv.json ? JSON.stringify(value, undefined, 2) : lines.join('\n');
      process.stdout.write(`${text}\n`);
      if (problems.length > 0) process.exitCode = 1;
    },
  };
}

async function makeReport(argv: Arguments, signal: AbortSignal): Promise<Report> {
  if (argv.what !== undefined && (await isDisk(argv.what))) return diskReport(argv, argv.what, signal);
  const found = await findRelease(resolve(argv.out), argv.what);
  if (argv.packages) {
    const packages = await readPackages(found.directory, found.release);
    return {lines: packagesText(packages), value: packages, problems: []};
  }
  const totalBytes = Object.values(found.release.files).reduce((sum, {bytes}) => sum + bytes, 0);
  const inspection = await withProgress(
    argv.verify,
    signal,
    totalBytes + found.release.usr.hashOffset,
    (verify) => inspectRelease(found, verify),
  );
  return {lines: releaseText(inspection), value: inspection, problems: inspection.problems};
}

async function diskReport(argv: Arguments, path: string, signal: AbortSignal): Promise<Report> {
  if (argv.packages) {
    throw new InspectError('no-packages', 'the list of packages is with the release, not on a disk', {
      hint: 'name a release; on a host, /usr/share/caisson/sbom.spdx.json lists them',
    });
  }
  const disk = await withProgress(argv.verify, signal, undefined, (verify) => inspectDisk(path, verify));
  return {lines: [...diskText(disk), ...problemText(disk.problems)], value: disk, problems: disk.problems};
}

async function withProgress<T>(
  isVerifying: boolean,
  signal: AbortSignal,
  totalBytes: number | undefined,
  inspect: Inspect<T>,
): Promise<T> {
  if (!isVerifying) return inspect(undefined);
  return terminalLog(false).step('Verifying', (progress: Progress) => {
    let done = 0;
    return inspect({signal, onBytes: (count) => progress.update((done += count), totalBytes)});
  });
}

async function isDisk(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile() || found.isBlockDevice(),
    () => false,
  );
}
