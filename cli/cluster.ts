/** caisson cluster */
import type {CommandModule} from 'yargs';
import {clusterSshCommand, downCommand, linkCommand, statusCommand} from './cluster/client-commands.ts';
import {clusterDemoCommand} from './cluster/demo.ts';
import {upCommand} from './cluster/up.ts';

export function clusterCommand(signal: AbortSignal): CommandModule<object, object> {
  return {
    command: 'cluster',
    describe: 'Hosts in QEMU with etcd on all of them, on a network of their own',
    builder: (yargs) =>
      yargs
        .command([
          upCommand(signal),
          statusCommand(signal),
          clusterSshCommand,
          linkCommand('cut', signal),
          linkCommand('join', signal),
          downCommand(signal),
          clusterDemoCommand(signal),
        ] as CommandModule[])
        .demandCommand(1, 'Name what to do with the cluster.'),
    handler: () => undefined,
  };
}
