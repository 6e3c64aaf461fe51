/** What `update_engine_client` does with each of its flags. Its log goes to standard error, as the lineage's did. */
import type {EngineClient} from '../api/client.ts';
import type {Status} from '../api/status.ts';
import {EXIT_CODES} from './help.ts';
import {LINEAGE_HELP, type LineageFlag, formatLineageStatus} from './lineage.ts';
import {type Terminal, waitForEnd, watch} from './run.ts';

export async function runLineage(
  flag: LineageFlag | 'help',
  client: EngineClient,
  terminal: Terminal,
): Promise<number> {
  const print = (status: Status): void => terminal.out(formatLineageStatus(status));
  switch (flag) {
    case 'help':
      terminal.out(LINEAGE_HELP);
      return EXIT_CODES.ok;
    case 'status':
      print(await client.status(terminal.signal));
      return EXIT_CODES.ok;
    case 'watch_for_updates':
      return watch(client, terminal, print);
    case 'check_for_update':
      terminal.note('Initiating update check and install.\n');
      terminal.note(`${(await client.order('/v1/update')).message}\n`);
      return EXIT_CODES.ok;
    case 'reset_status':
      terminal.note(`${(await client.order('/v1/reset')).message}\n`);
      return EXIT_CODES.ok;
    case 'update': {
      const {state} = await client.status(terminal.signal);
      terminal.note('Initiating update check and install.\n');
      if (state !== 'UPDATED_NEED_REBOOT') await client.order('/v1/update');
      const {status, failure} = await waitForEnd(client, terminal, (line) => terminal.note(`${line}\n`));
      print(status);
      if (failure === null) return EXIT_CODES.ok;
      terminal.note(`Update failed: ${failure.message}\n`);
      return EXIT_CODES.failed;
    }
  }
}
