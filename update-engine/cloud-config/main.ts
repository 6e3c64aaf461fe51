/**
 * caisson-cloudinit: applies the cloud-config of a host, at boot and when an operator asks. Why a program of its own and
 * no translation for Ignition: Ignition runs once, before the network of the host is up and before its accounts are
 * there; a cloud-config of the lineage is applied at every boot, starts units, and may change later.
 */
import {appendFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {chooseAddresses, parseDefaultRoutes} from '../../formats/cloud-config/choose-addresses.ts';
import {isCodedError} from '../../formats/errors.ts';
import {exec} from '../../platform/exec.ts';
import {cardAddresses, readRoutes} from '../../platform/host-addresses.ts';
import {createHttpClient} from '../../platform/http.ts';
import {createJournal} from '../../platform/journal.ts';
import {UsageError, parseArguments} from './arguments.ts';
import type {CloudHost} from './host.ts';
import {type CloudTerminal, runCommand} from './run.ts';
import {readSettings} from './settings.ts';

const NAME = 'caisson-cloudinit';
/** systemd-networkd-wait-online gives up after two minutes by itself. */
const NETWORK_TIMEOUT_MS = 150_000;
const MAX_STDIN_BYTES = 4 << 20;

const isService = process.env['JOURNAL_STREAM'] !== undefined;
const journal = createJournal((text) => process.stderr.write(text));
const words = process.argv.slice(2);
const isBoot = words.includes('--boot');

function say(level: 'error' | 'warn' | 'info', text: string): void {
  if (isService) journal[level](text);
  else process.stderr.write(`${level === 'info' ? '' : `${NAME}: `}${text}\n`);
  if (isBoot && level === 'error') showOnConsole(text);
}

/** Whoever stands before a host that does not let him in sees why. */
function showOnConsole(text: string): void {
  try {
    const lines = text
      .split('\n')
      .map((line) => `${NAME}: ${line.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500)}\r\n`);
    appendFileSync('/dev/console', lines.join(''));
  } catch {
    // There is none; the journal has it.
  }
}

const terminal: CloudTerminal = {
  out: (text) => process.stdout.write(text),
  error: (text) => say('error', text),
  warn: (text) => say('warn', text),
  info: (text) => say('info', text),
  async stdin() {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of process.stdin) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > MAX_STDIN_BYTES) break;
    }
    return Buffer.concat(chunks);
  },
};

async function run(): Promise<number> {
  const command = parseArguments(words);
  if (command.verb === 'apply' && process.getuid?.() !== 0)
    throw new UsageError('usage', 'only root can compare a config with the host', {
      hint: `sudo ${NAME} apply`,
    });
  const {caFile} = await readSettings({root: ''});
  const http = createHttpClient(caFile === null ? {} : {ca: await readFile(caFile, 'utf8')});
  let online: Promise<void> | undefined;
  const host: CloudHost = {
    root: '',
    exec,
    getBytes: (url, options) => http.getBytes(url, options),
    sleep: (ms) => sleep(ms),
    now: Date.now,
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim(),
    waitForNetwork: () => (online ??= waitForNetwork()),
    addresses: async () =>
      chooseAddresses(
        cardAddresses(),
        parseDefaultRoutes(await readRoutes()),
        await readFile('/etc/environment', 'utf8').catch(() => ''),
      ),
    note: (text) => say('info', text),
  };
  try {
    return await runCommand(command, host, terminal);
  } finally {
    await http.close();
  }
}

/** Started from here, and not before this program, so that a host without a cloud-config does not wait. */
async function waitForNetwork(): Promise<void> {
  if (!isBoot) return;
  try {
    await exec(['systemctl', 'start', 'network-online.target'], {timeoutMs: NETWORK_TIMEOUT_MS});
  } catch (error) {
    say('warn', `the network is not up: ${error instanceof Error ? error.message : ''}`);
  }
}

try {
  process.exitCode = await run();
} catch (error) {
  say(
    'error',
    error instanceof Error
      ? isCodedError(error)
        ? error.message
        : (error.stack ?? error.message)
      : String(error),
  );
  if (isCodedError(error) && error.hint !== undefined) say('error', `hint: ${error.hint}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
