/**
 * Runs before etcd on a host whose cloud-config has it form a cluster, with etcd's environment, as etcd's user: see
 * rejoin.ts. Whatever goes wrong here is left to etcd, which asks the same service and says so in its own words.
 */
import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {writeFileAtomic} from '../../platform/files.ts';
import {createHttpClient} from '../../platform/http.ts';
import {createJournal} from '../../platform/journal.ts';
import {isFirstStart, rejoinSettings} from './rejoin.ts';

/** The unit reads it when it starts etcd. */
const SETTINGS_FILE = 'discovered.env';
/** Says that etcd may wait for hosts that are not there yet, which is no fault of this one: health/checks.ts. */
const FORMING_FILE = 'forming';

const journal = createJournal((text) => void process.stderr.write(text));
const folder = process.env['RUNTIME_DIRECTORY'];
// As etcd, which asks the service through this proxy.
const proxy = process.env['ETCD_DISCOVERY_PROXY'];
const http = createHttpClient(proxy === undefined || proxy === '' ? {} : {proxy});
const hasEntries = async (directory: string): Promise<boolean> =>
  (await readdir(directory).catch(() => [])).length > 0;
try {
  if (folder !== undefined && (await isFirstStart(process.env, {hasEntries}))) {
    await writeFileAtomic(join(folder, FORMING_FILE), '');
    const settings = await rejoinSettings(process.env, {
      getText: async (url, maxBytes) => (await http.getBytes(url, {maxBytes})).toString('utf8'),
      sleep: (ms) => sleep(ms),
      say: (text) => journal.info(text),
    });
    if (settings !== null) await writeFileAtomic(join(folder, SETTINGS_FILE), settings);
  }
} catch (error) {
  journal.info(`left to etcd: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  await http.close();
}
