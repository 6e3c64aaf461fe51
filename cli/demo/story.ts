/** What happens in the demo, in order: an update that goes well, and one that does not. */
import {join} from 'node:path';
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
        await host.statusUntil(
          ({isGood}) => isGood === true,
          () => undefined,
        );
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
  await update(host, say);
  const after = host.machine.console.position;
  const reboot = await host.machine.console.waitFor(
    /caisson: booting USR-\w.*/,
    bootDeadline(options, after),
  );
  say(`reboot; ${reboot.text.trim()}`);
  const good = await host.statusUntil(
    ({os, isGood}) => os.version === DEMO_VERSIONS.second && isGood === true,
    () => undefined,
  );
  say(`release ${good.os.version} passed its health checks and is marked good; ${describeSlots(good)}`);
}

async function badUpdate(host: DemoHost, options: DemoOptions): Promise<void> {
  const {say} = options;
  await promote('broken', options);
  await update(host, say);
  const after = host.machine.console.position;
  const bad = await host.machine.console.waitFor(/caisson: booting USR-\w.*/, bootDeadline(options, after));
  const began = performance.now();
  say(`reboot; ${bad.text.trim()}`);
  const back = await host.machine.console.waitFor(
    /caisson: booting USR-\w.*/,
    bootDeadline(options, bad.end),
  );
  say(`its health check failed: it was given up; ${back.text.trim()}`);
  const good = await host.statusUntil(
    ({os, isGood, denied}) => os.version === DEMO_VERSIONS.second && isGood === true && denied.length > 0,
    () => undefined,
  );
  const seconds = (performance.now() - began) / 1000;
  say(`back on release ${good.os.version}, ${seconds.toFixed(0)} s after the bad one began to boot`);
  for (const {version, reason} of good.denied) say(`denied: ${version}: ${reason}`);
  await host.run('sudo caissonctl check').catch(() => undefined);
  const {lastCheck} = await host.status();
  say(`asked again, the host answers: ${lastCheck?.detail ?? 'nothing'}`);
}

/** Starts an update and follows it until the host reboots. */
async function update(host: DemoHost, say: (text: string) => void): Promise<void> {
  await host.run('sudo caissonctl update --no-wait');
  let last = '';
  await host.statusUntil(
    ({state}) => state === 'UPDATED_NEED_REBOOT' || state === 'REPORTING_ERROR_EVENT',
    (status) => {
      const text = describeProgress(status);
      if (text !== last) say(text);
      last = text;
    },
  );
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
