/** caisson server */
import {randomBytes, randomUUID} from 'node:crypto';
import {mkdir} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {parseListenAddress} from '../formats/listen-address.ts';
import {serveHub} from '../server/hub/serve.ts';
import {TLS_OPTIONS, type TlsArguments, URL_OPTION, checkUrl, readTls, serveUntil} from './listening.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';
import {publicKeysOrDefault} from './payload/options.ts';
import {vouchFor} from './vouch.ts';

interface Arguments extends TlsArguments {
  dir: string;
  data: string;
  listen: string;
  url?: string;
  key: string[];
  'access-log': boolean;
}

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
        .option('key', {
          type: 'string',
          array: true,
          default: [] as string[],
          defaultDescription: 'keys/*.pub.pem',
          describe: 'Public key in PEM that your hosts trust; one of them must have signed what is promoted',
        })
        .options(TLS_OPTIONS)
        .option('access-log', {type: 'boolean', default: true, describe: 'Print a line for each request'})
        .example('$0 server --listen 0.0.0.0:8000', 'with the embedded database'),
    handler: async (argv) => {
      const print = (text: string): void => void process.stdout.write(`${text}\n`);
      const [releaseDir, dataDir] = [resolve(argv.dir), resolve(argv.data)];
      await mkdir(dataDir, {recursive: true, mode: 0o700});
      const databaseUrl = process.env[DATABASE_VARIABLE] ?? '';
      const server = await serveHub({
        releaseDir,
        dataDir,
        place: databaseUrl === '' ? {kind: 'embedded', dir: dataDir} : {kind: 'postgres', url: databaseUrl},
        ...parseListenAddress(argv.listen),
        tls: await readTls(argv),
        publicUrl: checkUrl(argv.url),
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
        signal,
      });
      print(`Serving ${releaseDir}: hosts need SERVER=${argv.url ?? server.url}/v1/update/`);
      await serveUntil(signal, server);
    },
  };
}
