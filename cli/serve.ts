/** caisson serve */
import {readFile} from 'node:fs/promises';
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {CodedError} from '../formats/errors.ts';
import {parseListenAddress} from '../formats/listen-address.ts';
import {serveReleases} from '../server/serve.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';

class ServeUsageError extends CodedError<'usage'> {}

interface Arguments {
  dir: string;
  listen: string;
  url?: string;
  'tls-cert'?: string;
  'tls-key'?: string;
  'access-log': boolean;
}

/** Where this server is expected; also the port of Nebraska. */
const DEFAULT_LISTEN = '127.0.0.1:8000';
/** A host in the middle of a payload goes on with the next server; this is for short answers. */
const GRACE_MS = 5000;

export function serveCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'serve',
    describe: 'Serve releases to hosts: the update protocol, and the payloads',
    builder: (yargs) =>
      yargs
        .option('dir', {
          type: 'string',
          default: DEFAULT_OUT_DIR,
          defaultDescription: 'out/',
          describe: 'The folder of releases, which holds channels.json as well',
        })
        .option('listen', {
          type: 'string',
          default: DEFAULT_LISTEN,
          describe: 'HOST:PORT; only this machine can reach the default',
        })
        .option('url', {
          type: 'string',
          describe: 'How hosts reach this server, if not by the name they ask for (behind a proxy)',
        })
        .option('tls-cert', {type: 'string', describe: 'Certificate and its chain (PEM): serve HTTPS'})
        .option('tls-key', {type: 'string', describe: 'Its private key (PEM)'})
        .option('access-log', {type: 'boolean', default: true, describe: 'Print a line for each request'})
        .example('$0 serve', 'out/ to machines of caisson run')
        .example('$0 serve --listen 0.0.0.0:8000 --dir /srv/releases', 'to a network'),
    handler: async (argv) => {
      const print = (text: string): void => void process.stdout.write(`${text}\n`);
      const dir = resolve(argv.dir);
      const server = await serveReleases({
        dir,
        ...parseListenAddress(argv.listen),
        tls: await readTls(argv),
        publicUrl: checkUrl(argv.url),
        now: () => Date.now(),
        onLine: print,
        onAccess: argv['access-log'] ? print : () => undefined,
      });
      print(`Serving ${dir}: hosts need SERVER=${argv.url ?? server.url}/v1/update/`);
      await new Promise<void>((done) => {
        if (signal.aborted) done();
        signal.addEventListener('abort', () => done(), {once: true});
      });
      await server.close(GRACE_MS);
    },
  };
}

async function readTls(argv: Arguments): Promise<{cert: string; key: string} | null> {
  const {'tls-cert': cert, 'tls-key': key} = argv;
  if (cert === undefined && key === undefined) return null;
  if (cert === undefined || key === undefined)
    throw new ServeUsageError('usage', '--tls-cert and --tls-key go together');
  return {cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8')};
}

function checkUrl(url: string | undefined): string | null {
  if (url === undefined) return null;
  if (!URL.canParse(url) || !/^https?:/.test(url) || /[?#]/.test(url))
    throw new ServeUsageError('usage', `--url ${url} is no http or https address`);
  return url;
}
