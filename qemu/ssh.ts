/** Commands in a guest over OpenSSH's client, with nothing taken from the user's own configuration. */
import {chmod, readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Argv, exec, type ExecResult} from '../platform/exec.ts';
import type {Deadline} from './deadline.ts';
import {QemuError} from './errors.ts';

/** ssh's own failures; a remote command that ends with it cannot be told from them. */
const SSH_FAILED = 255;

/** An emulated guest needs seconds for a key exchange. */
const CONNECT_TIMEOUT_SECONDS = 30;

const RETRY_MS = 500;

export interface SshKey {
  identityFile: string;
  /** One line, as in authorized_keys. */
  publicKey: string;
}

/** Makes an ed25519 key pair without passphrase in a folder. Throws ExecError. */
export async function createSshKey(folder: string, comment = 'caisson'): Promise<SshKey> {
  const identityFile = join(folder, 'id_ed25519');
  await exec(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', identityFile]);
  await chmod(identityFile, 0o600);
  return {identityFile, publicKey: (await readFile(`${identityFile}.pub`, 'utf8')).trim()};
}

export interface SshTarget {
  port: number;
  user: string;
  identityFile: string;
  /** Where the guest's key is kept from the first connection on; one file for each machine. */
  knownHostsFile: string;
  /**
   * Socket (path of at most 85 bytes) behind which one connection stays open for all commands: a key exchange costs
   * an emulated guest 1 to 3 seconds. It ends with the machine.
   */
  controlSocket?: string;
  host?: string;
}

/** ssh's arguments; the command's words arrive in the guest exactly as given. */
export function sshArguments(target: SshTarget, command: readonly string[]): Argv {
  const options = {
    BatchMode: 'yes',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PasswordAuthentication: 'no',
    StrictHostKeyChecking: 'accept-new',
    UserKnownHostsFile: sshQuote(target.knownHostsFile),
    GlobalKnownHostsFile: '/dev/null',
    ConnectTimeout: String(CONNECT_TIMEOUT_SECONDS),
    // Notices a guest whose power was cut: no packet ever comes to say so.
    ServerAliveInterval: '15',
    ServerAliveCountMax: '8',
    LogLevel: 'ERROR',
    ...(target.controlSocket === undefined
      ? {}
      : {ControlMaster: 'auto', ControlPersist: 'yes', ControlPath: sshQuote(target.controlSocket)}),
  };
  return [
    ...(['ssh', '-F', 'none', '-T'] as const),
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...['-i', target.identityFile, '-p', String(target.port), '-l', target.user],
    ...['--', target.host ?? '127.0.0.1', remoteCommand(command)],
  ];
}

/** One string that a POSIX shell, which is what sshd hands it to, splits into exactly these words. */
export function remoteCommand(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** ssh splits the values of file options at spaces, and expands `%`. */
function sshQuote(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}

export interface RunOptions extends Partial<Deadline> {
  stdin?: string | Uint8Array;
  onLine?: (line: string) => void;
}

const DEFAULT_RUN_DEADLINE_MS = 120_000;

export class SshClient {
  readonly target: SshTarget;

  constructor(target: SshTarget) {
    this.target = target;
  }

  /** Runs a command and tells its exit code. Throws QemuError `unreachable` when ssh itself failed, ExecError. */
  async run(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<ExecResult> {
    const {deadlineMs = DEFAULT_RUN_DEADLINE_MS, ...rest} = options;
    const result = await exec(sshArguments(this.target, command), {
      ...rest,
      timeoutMs: deadlineMs,
      okCodes: Array.from({length: 256}, (_, code) => code),
    });
    if (result.exitCode === SSH_FAILED) {
      throw new QemuError('unreachable', `ssh to port ${this.target.port}: ${result.stderr.trim()}`, {
        retryable: true,
      });
    }
    return result;
  }

  /** Runs a command and returns its standard output. Throws QemuError `remote-failed` when it fails. */
  async output(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
    const result = await this.run(command, options);
    if (result.exitCode !== 0) {
      const detail = [result.stderr, result.stdout].map((text) => text.trim()).filter((text) => text !== '');
      throw new QemuError(
        'remote-failed',
        [
          `command in the guest failed with exit code ${result.exitCode}: ${remoteCommand(command)}`,
          ...detail,
        ].join('\n'),
      );
    }
    return result.stdout;
  }

  /** Ends the connection that is kept open, if any: after a guest's reboot it leads nowhere. */
  async disconnect(): Promise<void> {
    const {controlSocket} = this.target;
    if (controlSocket === undefined) return;
    const [ssh, ...rest] = sshArguments(this.target, ['true']);
    await exec([ssh, '-O', 'exit', ...rest], {okCodes: [0, SSH_FAILED], timeoutMs: 10_000});
    await rm(controlSocket, {force: true});
  }

  /** Resolves when the guest runs commands. Throws QemuError `timed-out` with ssh's last words. */
  async waitUntilUp(options: Deadline): Promise<void> {
    await this.disconnect();
    const until = performance.now() + options.deadlineMs;
    for (;;) {
      options.signal?.throwIfAborted();
      const left = until - performance.now();
      try {
        await this.output(['true'], {
          deadlineMs: Math.max(1, Math.min(left, 2 * CONNECT_TIMEOUT_SECONDS * 1000)),
          signal: options.signal,
        });
        return;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (performance.now() + RETRY_MS > until) {
          throw new QemuError('timed-out', `no ssh within ${Math.round(options.deadlineMs)} ms`, {
            cause: error,
          });
        }
      }
      await sleep(RETRY_MS);
    }
  }
}
