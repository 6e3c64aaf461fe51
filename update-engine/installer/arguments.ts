/** The words behind caisson-install; the letters are those of coreos-install. */
import {parseArgs} from 'node:util';
import {type ServerSetting, readServer} from '../../formats/update-conf-values.ts';
import {InstallerError} from './errors.ts';

export type InstallSourceArgument =
  | {readonly kind: 'file'; readonly path: string}
  /** Null: what update.conf of the running system says. */
  | {readonly kind: 'server'; readonly channel: string | null; readonly version: string | null};

/** One to ask, or a folder of files. */
export type FollowedServer = Exclude<ServerSetting, {kind: 'disabled'}>;

export interface InstallArguments {
  readonly verb: 'install';
  readonly device: string;
  readonly source: InstallSourceArgument;
  /** Null: of update.conf. */
  readonly server: FollowedServer | null;
  readonly ca: string | null;
  readonly ignition: string | null;
  readonly oem: string | null;
  readonly keys: readonly string[];
  readonly channelKeys: readonly string[];
  /** Of an image file. */
  readonly sectorSize: 512 | 4096;
  readonly force: boolean;
  readonly isDryRun: boolean;
  readonly isJson: boolean;
}

export type InstallCommand =
  | {readonly verb: 'help'}
  /** `isAsked` is false when a disk should have been named. */
  | {readonly verb: 'list'; readonly isJson: boolean; readonly isAsked: boolean}
  | InstallArguments;

export const HELP = `usage: caisson-install -d DISK [-C CHANNEL | -V VERSION | -f FILE] [-i CONFIG] [-o OEM] [options]
       caisson-install --list [--json]

Installs Caisson Linux on a disk, which loses all that is on it. What is installed is the signed payload of a release:
it is verified while it is written, read back, and only then made bootable.

  -d, --device DISK     the whole disk, such as /dev/sda; or an image file that has its size already
  -C, --channel NAME    what the update server has in this channel; default: the channel of the running system
  -V, --version VERSION this version of the channel
  -f, --file FILE       a full payload on this machine instead, as caisson payload make writes it
  -s, --server URL      the update server, or static+ and the address of a folder with signed channels; default:
                        SERVER of /etc/caisson/update.conf
  -i, --ignition FILE   a config for Ignition, checked here and applied by the first boot
  -o, --oem DIR|NAME    a folder whose content goes to /oem, or the name of a platform
  -k, --key FILE        public key (PEM) that may have signed; may be repeated; default: the keys that came with this
      --channel-key FILE  public key (PEM) that may have signed the channels of a folder; may be repeated; default:
                        the keys that came with this
      --ca FILE         certificate (PEM) that vouches for the update server, besides the well-known ones
      --sector-size N   of an image file: 512 (default) or 4096; a disk knows its own
  -y, --dry-run         check everything, say what would be done, and write nothing
      --force           also a disk that is mounted, in use, or what this system runs from
      --list            the disks of this machine with size, model and use
      --json            JSON instead of text

Ctrl-C or a power cut leaves a disk that does not boot; run the command again.

Exit codes: 0 done; 1 failed; 2 wrong use; 3 refused, nothing was written; 130 stopped by Ctrl-C.
`;

const OPTIONS = {
  device: {type: 'string', short: 'd'},
  channel: {type: 'string', short: 'C'},
  version: {type: 'string', short: 'V'},
  file: {type: 'string', short: 'f'},
  server: {type: 'string', short: 's'},
  ignition: {type: 'string', short: 'i'},
  oem: {type: 'string', short: 'o'},
  key: {type: 'string', short: 'k', multiple: true},
  'channel-key': {type: 'string', multiple: true},
  ca: {type: 'string'},
  'sector-size': {type: 'string'},
  'dry-run': {type: 'boolean', short: 'y'},
  force: {type: 'boolean'},
  list: {type: 'boolean'},
  json: {type: 'boolean'},
  help: {type: 'boolean', short: 'h'},
} as const;

/** Throws InstallerError 'usage'. */
export function parseInstallArguments(words: readonly string[]): InstallCommand {
  const values = parse(words);
  if (values.help === true) return {verb: 'help'};
  const isJson = values.json === true;
  if (values.list === true) return {verb: 'list', isJson, isAsked: true};
  if (values.device === undefined) return {verb: 'list', isJson, isAsked: false};
  if (values.channel !== undefined && !/^[A-Za-z0-9{][\w.{}-]{0,127}$/.test(values.channel))
    throw new InstallerError('usage', `--channel ${JSON.stringify(values.channel)}: not the name of one`);
  const sectorSize = values['sector-size'] ?? '512';
  if (sectorSize !== '512' && sectorSize !== '4096')
    throw new InstallerError('usage', `--sector-size ${sectorSize}: 512 or 4096`);
  return {
    verb: 'install',
    device: values.device,
    source: sourceOf(values),
    server: checkedServer(values.server),
    ca: values.ca ?? null,
    ignition: values.ignition ?? null,
    oem: values.oem ?? null,
    keys: values.key ?? [],
    channelKeys: values['channel-key'] ?? [],
    sectorSize: sectorSize === '512' ? 512 : 4096,
    force: values.force === true,
    isDryRun: values['dry-run'] === true,
    isJson,
  };
}

function parse(words: readonly string[]): ReturnType<typeof parseArgs<{options: typeof OPTIONS}>>['values'] {
  try {
    return parseArgs({args: [...words], options: OPTIONS, strict: true, allowPositionals: false}).values;
  } catch (error) {
    throw new InstallerError('usage', error instanceof Error ? error.message : String(error), {
      cause: error,
      hint: 'caisson-install --help',
    });
  }
}

function sourceOf({
  file,
  channel,
  version,
  server,
}: {
  file?: string;
  channel?: string;
  version?: string;
  server?: string;
}): InstallSourceArgument {
  if (file === undefined) return {kind: 'server', channel: channel ?? null, version: version ?? null};
  const other = Object.entries({channel, version, server}).find(([, value]) => value !== undefined);
  if (other !== undefined)
    throw new InstallerError('usage', `--file and --${other[0]}: a release comes from one place`);
  return {kind: 'file', path: file};
}

function checkedServer(text: string | undefined): FollowedServer | null {
  if (text === undefined) return null;
  const read = readServer(text);
  if (read.kind === 'bad') throw new InstallerError('usage', `--server ${text} ${read.problem}`);
  if (read.value.kind === 'disabled')
    throw new InstallerError('usage', `--server ${text}: a release comes from somewhere`);
  return read.value;
}
