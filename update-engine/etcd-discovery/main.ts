/**
 * Runs before etcd on a host with a discovery URL, with etcd's environment, as etcd's user: see rejoin.ts. Whatever goes
 * wrong here is left to etcd, which asks the same service and says so in its own words.
 */
import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {writeFileAtomic} from '../../platform/files.ts';
import {createHttpClient} from '../../platform/http.ts';
import {createJournal} from '../../platform/journal.ts';
import {rejoinSettings} from './rejoin.ts';

/** The unit reads it when it starts etcd. */
const SETTINGS_FILE = 'discovered.env';

const journal = createJournal((text) => void process.stderr.write(text));
const folder = process.env['RUNTIME_DIRECTORY'];
// As etcd, which asks the service through this proxy.
const proxy = process.env['ETCD_DISCOVERY_PROXY'];
const http = createHttpClient(proxy === undefined || proxy === '' ? {} : {proxy});
try {
  const settings = await rejoinSettings(process.env, {
    getText: async (url, maxBytes) => (await http.getBytes(url, {maxBytes})).toString('utf8'),
    hasEntries: async (directory) => (await readdir(directory).catch(() => [])).length > 0,
    sleep: (ms) => sleep(ms),
    say: (text) => journal.info(text),
  });
  if (settings !== null && folder !== undefined) await writeFileAtomic(join(folder, SETTINGS_FILE), settings);
} catch (error) {
  journal.info(`left to etcd: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  await http.close();
}
