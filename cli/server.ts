/** caisson server */
import {randomBytes, randomUUID} from 'node:crypto';
import {mkdir} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {parseListenAddress} from '../formats/listen-address.ts';
import {createLineSink} from '../platform/line-sink.ts';
import {serveHub} from '../server/hub/serve.ts';
import {
  ServingUsageError,
  TLS_OPTIONS,
  type TlsArguments,
  URL_OPTION,
  checkUrl,
  readTls,
  serveUntil,
} from './listening.ts';
import {SIGNING_OPTIONS, type SigningArguments, readSigning} from './channel-signing.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';
import {publicKeysOrDefault, trustedKeyOption} from './payload/options.ts';
import {vouchFor} from './vouch.ts';

interface Arguments extends TlsArguments, SigningArguments {
  dir: string;
  data: string;
  listen: string;
  url?: string;
  mirror: string[];
  redirect?: string;
  'keep-events': number;
  key: string[];
  'access-log': boolean;
}

const DEFAULT_KEEP_DAYS = 90;
const DAY_MS = 86_400_000;

/** Not an option: command lines are for everyone to see. */
const DATABASE_VARIABLE = 'CAISSON_DATABASE_URL';

export function serverCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'server',
    describe: 'Roll releases out to groups of hosts, and stop by itself when one turns out bad',
    builder: (yargs) =>
      yargs
        .option('dir', {
          type: 'string',
          default: DEFAULT_OUT_DIR,
          defaultDescription: 'out/',
          describe: 'The folder of releases',
        })
        .option('data', {
          type: 'string',
          default: join(DEFAULT_OUT_DIR, 'server'),
          defaultDescription: 'out/server/',
          describe: `Its own folder: the database, unless ${DATABASE_VARIABLE} names a PostgreSQL`,
        })
        .option('listen', {type: 'string', default: '127.0.0.1:8000', describe: 'HOST:PORT'})
        .option('url', URL_OPTION)
        .option('mirror', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe:
            'Address that has the same /payloads/ (a mirror, a CDN); hosts ask it first, then this server',
        })
        .option('redirect', {
          type: 'string',
          describe:
            'Address that has the same /payloads/; who asks this server for a payload is sent there instead',
        })
        .option('keep-events', {
          type: 'number',
          default: DEFAULT_KEEP_DAYS,
          describe: 'Days for which it is kept what machines told and were granted',
        })
        .option('key', trustedKeyOption('what is promoted'))
        .options(TLS_OPTIONS)
        .options(SIGNING_OPTIONS)
        .option('access-log', {type: 'boolean', default: true, describe: 'Print a line for each request'})
        .example('$0 server --listen 0.0.0.0:8000', 'with the embedded database'),
    handler: async (argv) => {
      const lines = createLineSink(process.stdout);
      const print = lines.line;
      const [releaseDir, dataDir] = [resolve(argv.dir), resolve(argv.data)];
      await mkdir(dataDir, {recursive: true, mode: 0o700});
      const databaseUrl = process.env[DATABASE_VARIABLE] ?? '';
      const taken = new AbortController();
      const server = await serveHub({
        releaseDir,
        dataDir,
        place: databaseUrl === '' ? {kind: 'embedded', dir: dataDir} : {kind: 'postgres', url: databaseUrl},
        ...parseListenAddress(argv.listen),
        tls: await readTls(argv),
        publicUrl: checkUrl(argv.url),
        channelSigning: await readSigning(argv),
        mirrors: argv.mirror.map((url) => checkUrl(url, '--mirror') ?? url),
        redirect: checkUrl(argv.redirect, '--redirect'),
        keepEventsMs: daysOf(argv['keep-events']),
        trustedKeys: () => publicKeysOrDefault(argv.key),
        vouch: async (release) => vouchFor(release, await publicKeysOrDefault(argv.key), signal),
        now: () => Date.now(),
        random: randomBytes,
        newId: randomUUID,
        every(ms, act) {
          const timer = setInterval(act, ms);
          return () => clearInterval(timer);
        },
        onLine: print,
        onAccess: argv['access-log'] ? print : () => undefined,
        onTaken: (error) => taken.abort(error),
        signal,
      });
      print(`Serving ${releaseDir}: hosts need SERVER=${argv.url ?? server.url}/v1/update/`);
      await serveUntil(AbortSignal.any([signal, taken.signal]), server);
      lines.flush();
      taken.signal.throwIfAborted();
    },
  };
}

function daysOf(days: number): number {
  if (!Number.isFinite(days) || days < 1)
    throw new ServingUsageError('usage', `--keep-events ${days} is less than a day`);
  return days * DAY_MS;
}
