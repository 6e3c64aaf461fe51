/** Why a first boot failed, for the journal of the boot that comes to its end: the console is long gone by then. */
import {readFile} from 'node:fs/promises';
import {pathExists, writeFileAtomic} from '../../platform/files.ts';
import {type FirstBootHost, at} from './host.ts';
import {IGNITION_PATHS} from './paths.ts';

const MAX_LENGTH = 8192;

export async function keepFailure(message: string, host: FirstBootHost): Promise<void> {
  const text = `${new Date(host.now()).toISOString()}: ${message}`;
  await writeFileAtomic(at(host, IGNITION_PATHS.failure), text.slice(0, MAX_LENGTH), 0o600);
}

/** The file goes with the marker, at the end of the first boot. */
export async function tellEarlierFailure(host: FirstBootHost): Promise<void> {
  const path = at(host, IGNITION_PATHS.failure);
  if (await pathExists(path)) host.note(`an earlier try failed: ${await readFile(path, 'utf8')}`);
}
