/** caisson serve */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {parseListenAddress} from '../formats/listen-address.ts';
import {serveReleases} from '../server/serve.ts';
import {TLS_OPTIONS, type TlsArguments, URL_OPTION, checkUrl, readTls, serveUntil} from './listening.ts';
import {SIGNING_OPTIONS, type SigningArguments, readSigning} from './channel-signing.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';

interface Arguments extends TlsArguments, SigningArguments {
  dir: string;
  listen: string;
  url?: string;
  'access-log': boolean;
}

/** Where this server is expected; also the port of Nebraska. */
const DEFAULT_LISTEN = '127.0.0.1:8000';

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
        .option('url', URL_OPTION)
        .options(TLS_OPTIONS)
        .options(SIGNING_OPTIONS)
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
        channelSigning: await readSigning(argv),
        now: () => Date.now(),
        onLine: print,
        onAccess: argv['access-log'] ? print : () => undefined,
      });
      print(`Serving ${dir}: hosts need SERVER=${argv.url ?? server.url}/v1/update/`);
      await serveUntil(signal, server);
    },
  };
}
