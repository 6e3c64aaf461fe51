/** caisson fleet-lock */
import {setTimeout as sleep} from 'node:timers/promises';
import type {CommandModule} from 'yargs';
import {openEtcdKeeper} from '../coordination/etcd-lock.ts';
import {parseListenAddress} from '../formats/listen-address.ts';
import {type EtcdSettings, parseRebootSettings} from '../formats/reboot-settings.ts';
import {createHttpClient} from '../platform/http.ts';
import type {FleetLockEvent} from '../server/fleet-lock/app.ts';
import {DEFAULT_GROUP, createSlotKeeper} from '../server/fleet-lock/keeper.ts';
import {serveFleetLock} from '../server/fleet-lock/serve.ts';
import {formatAccess} from '../server/serve.ts';
import {ServingUsageError, TLS_OPTIONS, type TlsArguments, readTls, serveUntil} from './listening.ts';

interface Arguments extends TlsArguments {
  listen: string;
  endpoint: string[];
  group: string[];
  'etcd-cafile'?: string;
  'etcd-certfile'?: string;
  'etcd-keyfile'?: string;
  'etcd-username'?: string;
  json: boolean;
  'access-log': boolean;
}

/** Where airlock listens. */
const DEFAULT_LISTEN = '127.0.0.1:3333';
const DEFAULT_ENDPOINT = 'http://127.0.0.1:2379';
/** The variable of locksmith: a password on a command line is one that every user of the machine can read. */
const PASSWORD_VARIABLE = 'LOCKSMITHD_ETCD_PASSWORD';

export function fleetLockCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'fleet-lock',
    describe: 'Let hosts of Zincati (Fedora CoreOS) share the reboot lock in etcd',
    builder: (yargs) =>
      yargs
        .option('listen', {
          type: 'string',
          default: DEFAULT_LISTEN,
          describe: 'HOST:PORT; only this machine can reach the default',
        })
        .option('endpoint', {
          type: 'string',
          array: true,
          default: [DEFAULT_ENDPOINT],
          describe: 'Address of an etcd member; may be repeated',
        })
        .option('group', {
          type: 'string',
          array: true,
          default: [DEFAULT_GROUP],
          describe: `A group that hosts may ask for; may be repeated. "${DEFAULT_GROUP}" is the lock without a group`,
        })
        .option('etcd-cafile', {type: 'string', describe: 'Certificates (PEM) that vouch for etcd'})
        .option('etcd-certfile', {type: 'string', describe: 'Certificate (PEM) of this server for etcd'})
        .option('etcd-keyfile', {type: 'string', describe: 'Its private key (PEM)'})
        .option('etcd-username', {
          type: 'string',
          describe: `Name in etcd; the password is in ${PASSWORD_VARIABLE}`,
        })
        .options(TLS_OPTIONS)
        .option('json', {type: 'boolean', default: false, describe: 'Print a line of JSON for each decision'})
        .option('access-log', {type: 'boolean', default: false, describe: 'Print a line for each request'})
        .example('$0 fleet-lock --listen 0.0.0.0:3333', 'with the etcd of this machine')
        .example('$0 fleet-lock --group default --group edge', 'two groups; any other is refused'),
    handler: async (argv) => {
      const print = (text: string): void => void process.stdout.write(`${text}\n`);
      const settings = etcdSettings(argv, process.env[PASSWORD_VARIABLE]);
      const etcd = openEtcdKeeper({
        settings,
        createHttp: createHttpClient,
        now: Date.now,
        sleep: (ms, until) => sleep(ms, undefined, {signal: until}),
        random: Math.random,
      });
      try {
        const server = await serveFleetLock({
          keeper: createSlotKeeper(etcd),
          groups: argv.group,
          ...parseListenAddress(argv.listen),
          tls: await readTls(argv),
          onEvent: (event) => print(argv.json ? jsonLine(event, Date.now()) : line(event)),
          onAccess: (record) => {
            if (argv['access-log']) print(formatAccess(record, Date.now()));
          },
        });
        print(
          argv.json
            ? JSON.stringify({
                at: new Date().toISOString(),
                event: 'listening',
                url: server.url,
                groups: argv.group,
              })
            : `Serving ${etcd.where}, groups ${argv.group.join(', ')}: hosts need base_url = "${server.url}"`,
        );
        await serveUntil(signal, server);
      } finally {
        await etcd.close();
      }
    },
  };
}

/** By the reader of update.conf, so that both take the same. */
function etcdSettings(argv: Arguments, password: string | undefined): EtcdSettings {
  const values = new Map<string, string>([['LOCKSMITHD_ENDPOINT', argv.endpoint.join(',')]]);
  for (const name of ['cafile', 'certfile', 'keyfile', 'username'] as const) {
    const value = argv[`etcd-${name}`];
    if (value !== undefined) values.set(`LOCKSMITHD_ETCD_${name.toUpperCase()}`, value);
  }
  if (argv['etcd-username'] !== undefined) values.set(PASSWORD_VARIABLE, password ?? '');
  const {etcd} = parseRebootSettings(values).settings;
  if (etcd.kind === 'bad') throw new ServingUsageError('usage', etcd.problem);
  return etcd.value;
}

function line({verb, client, remote, outcome, detail}: FleetLockEvent): string {
  const who = client === null ? remote : `${client.id} (group ${client.group}, ${remote})`;
  return `${who}: ${verb}: ${outcome}${detail === '' ? '' : `: ${detail}`}`;
}

function jsonLine(event: FleetLockEvent, at: number): string {
  return JSON.stringify({at: new Date(at).toISOString(), event: 'decision', ...event});
}
