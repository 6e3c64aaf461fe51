/** What happens in the demo, in order: an update that goes well, and one that does not. */
import {join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import type {ConsoleMatch} from '../../qemu/console.ts';
import {serveReleases} from '../../server/serve.ts';
import type {Status} from '../../update-engine/api/status.ts';
import {BOOT_DEADLINE_MS, type DemoHost, addressForGuest, withDemoHost} from './host.ts';
import {
  DEMO_VERSIONS,
  type DemoFolder,
  buildRelease,
  makeKeysOnce,
  packRelease,
  promote,
} from './releases.ts';

export interface DemoOptions extends DemoFolder {
  /** For this run's machine; removed by the caller. */
  machineFolder: string;
  memoryMiB: number;
}

const GRACE_MS = 1000;
/** What the selector prints. */
const STARTS = /caisson: booting USR-\w.*/;

class DemoError extends CodedError<'update-failed'> {}

export async function tellDemo(options: DemoOptions): Promise<void> {
  const {directory, say, signal} = options;
  await makeKeysOnce(options);
  const first = await buildRelease('first', options);
  await buildRelease('second', options);
  await packRelease('second', options);
  await buildRelease('broken', options);
  await packRelease('broken', options);
  const server = await serveReleases({
    dir: directory,
    host: '127.0.0.1',
    port: 0,
    tls: null,
    publicUrl: null,
    now: () => Date.now(),
    onLine: (text) => say(`server: ${text}`),
    onAccess: () => undefined,
  });
  try {
    const url = `${addressForGuest(server.url)}/v1/update/`;
    say(`a release server runs at ${server.url}; booting release ${DEMO_VERSIONS.first} in QEMU`);
    await withDemoHost(
      {image: join(first, 'disk.qcow2'), folder: options.machineFolder, memoryMiB: options.memoryMiB, signal},
      async (host) => {
        await host.statusUntil(({isGood}) => isGood === true);
        say(`the host is up, ${describeSlots(await host.status())}`);
        await host.run(
          `sudo sh -c 'mkdir -p /etc/caisson && printf "SERVER=${url}\\nGROUP=stable\\n" > /etc/caisson/update.conf'`,
        );
        await host.run('echo "written before the updates" > ~/note');
        await goodUpdate(host, options);
        await badUpdate(host, options);
        say(`the note on ROOT still says: ${(await host.run('cat ~/note')).trim()}`);
      },
    );
  } finally {
    await server.close(GRACE_MS);
  }
}

async function goodUpdate(host: DemoHost, options: DemoOptions): Promise<void> {
  const {say} = options;
  await promote('second', options);
  const reboot = await updateAndReboot(host, options);
  const began = performance.now();
  say(`reboot; ${reboot.text.trim()}`);
  const good = await host.statusUntil(
    ({os, isGood}) => os.version === DEMO_VERSIONS.second && isGood === true,
  );
  say(`release ${good.os.version} is found good, ${secondsSince(began)} s after it began to boot`);
  say(describeSlots(good));
}

async function badUpdate(host: DemoHost, options: DemoOptions): Promise<void> {
  const {say} = options;
  await promote('broken', options);
  const bad = await updateAndReboot(host, options);
  const began = performance.now();
  say(`reboot; ${bad.text.trim()}`);
  const back = await host.machine.console.waitFor(STARTS, bootDeadline(options, bad.end));
  say(`its health check failed, and the host gave it up; ${back.text.trim()}`);
  const good = await host.statusUntil(
    ({os, isGood, denied}) => os.version === DEMO_VERSIONS.second && isGood === true && denied.length > 0,
  );
  say(`back on release ${good.os.version}, ${secondsSince(began)} s after the bad one began to boot`);
  for (const {version, reason} of good.denied) say(`denied: ${version}: ${reason}`);
  // It ends with an error code, because the answer is no.
  await host.run('sudo caissonctl check').catch(() => undefined);
  const {lastCheck} = await host.status();
  say(`asked again, the host answers: ${lastCheck?.detail ?? 'nothing'}`);
}

/** Starts an update and tells how it goes, until the machine starts anew. */
async function updateAndReboot(host: DemoHost, options: DemoOptions): Promise<ConsoleMatch> {
  const after = host.machine.console.position;
  await host.run('sudo caissonctl update --no-wait');
  const rebooted = new AbortController();
  let last = '';
  const following = host.statusUntil(
    (status) => {
      const text = describeProgress(status);
      if (text !== last && !rebooted.signal.aborted) options.say(text);
      last = text;
      return status.lastUpdate?.outcome === 'failed';
    },
    AbortSignal.any([options.signal, rebooted.signal]),
  );
  const failing = following.then(({lastUpdate}) => {
    throw new DemoError('update-failed', `the update failed: ${lastUpdate?.detail ?? 'for no reason given'}`);
  });
  try {
    return await Promise.race([host.machine.console.waitFor(STARTS, bootDeadline(options, after)), failing]);
  } finally {
    rebooted.abort();
    await following.catch(() => undefined);
    failing.catch(() => undefined);
  }
}

/** A line for each state, and for each tenth of a download. */
function describeProgress({state, offer, progress}: Status): string {
  const tenths =
    progress === null ? 0 : Math.floor((10 * progress.doneBytes) / Math.max(1, progress.totalBytes));
  const share = state === 'DOWNLOADING' && progress !== null ? ` ${tenths}0 %` : '';
  return `host: ${state}${offer === null ? '' : ` ${offer.version}`}${share}`;
}

function describeSlots({slots}: Status): string {
  return slots
    .map(
      ({letter, isRunning, priority, tries, successful, version}) =>
        `USR-${letter}${isRunning ? ' (running)' : ''}: ${version ?? 'empty'}, priority ${priority}, tries ${tries}, ${successful ? 'good' : 'not good'}`,
    )
    .join('; ');
}

function bootDeadline(
  {signal}: DemoOptions,
  after: number,
): {deadlineMs: number; signal: AbortSignal; after: number} {
  return {deadlineMs: BOOT_DEADLINE_MS, signal, after};
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1000).toFixed(0);
}
