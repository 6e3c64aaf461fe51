/** An update from end to end, as a host makes it over HTTP from the release server; and what it leaves on the disk. */
import assert from 'node:assert/strict';
import {mkdir, symlink, truncate} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import type {TestContext} from 'node:test';
import {RELEASE_FILE} from '../../../formats/release.ts';
import {PAYLOAD_FILE} from '../../../payload/make.ts';
import {exec} from '../../../platform/exec.ts';
import {copySparse} from '../../../platform/files.ts';
import {promoteRelease} from '../../../server/channel-file.ts';
import {openReleaseFolder} from '../../../server/releases.ts';
import {serveReleases} from '../../../server/serve.ts';
import {healthSchema} from '../../../update-engine/state/documents.ts';
import type {Guest} from './guest.ts';
import {releaseImage} from './paths.ts';
import {readRelease, secondRelease} from './releases.ts';
import {statusOf, statusUntil, UPDATE_DEADLINE_MS} from './updates.ts';
import {BOOT_DEADLINE_MS, withRawDisk, withTestFolder} from './with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const GIB = 1024 ** 3;

/** What an independent tool reads of both slots in the table of a disk whose machine is running or off. */
export async function slotBits(disk: string): Promise<[a: string, b: string]> {
  const bits = async (partition: '2' | '3'): Promise<string> => {
    const ask = async (flag: string): Promise<string> =>
      (await exec(['cgpt', 'show', '-i', partition, flag, disk])).stdout.trim();
    return [await ask('-P'), await ask('-T'), await ask('-S')].join(',');
  };
  return [await bits('2'), await bits('3')];
}

/** Release 1 updates to release 2 by the payload given and is found good; then `use` goes on with it. */
export async function withUpdatedGuest(
  t: TestContext,
  makePayload: (release: string) => Promise<string>,
  use: (guest: Guest, disk: string) => Promise<void>,
): Promise<void> {
  const second = await secondRelease();
  const payload = await makePayload(second);
  await withTestFolder(t, async (folder, consoleLog) => {
    const disk = join(folder, 'disk.raw');
    await copySparse(releaseImage().path, disk);
    await truncate(disk, 8 * GIB);
    assert.deepEqual(await slotBits(disk), ['1,0,1', '0,0,0']);
    const {url, events} = await serve(t, join(folder, 'served'), second, payload);
    await withRawDisk(t, {image: releaseImage(), disk, folder, consoleLog}, async (guest) => {
      await guest.ssh.waitUntilUp(BOOT);
      await guest.bootFinished(BOOT);
      await update(t, guest, disk, url.replace('127.0.0.1', '10.0.2.2'));
      await use(guest, disk);
    });
    assert.ok(
      events.some((line) => line.includes('0.2.0')),
      events.join('\n'),
    );
  });
}

async function serve(
  t: TestContext,
  dir: string,
  release: string,
  payload: string,
): Promise<{url: string; events: readonly string[]}> {
  const {version} = await readRelease(release);
  const served = join(dir, version, PAYLOAD_FILE);
  await mkdir(dirname(served), {recursive: true});
  await symlink(join(release, RELEASE_FILE), join(dir, version, RELEASE_FILE));
  await symlink(payload, served);
  const offer = {version, channel: 'stable', allowDowngrade: false, at: 0} as const;
  await promoteRelease(dir, openReleaseFolder(dir), offer, t.signal);
  const events: string[] = [];
  const server = await serveReleases({
    ...{dir, host: '127.0.0.1', port: 0, tls: null, publicUrl: null},
    ...{now: () => Date.now(), onLine: (text) => events.push(text), onAccess: () => undefined},
  });
  t.after(() => server.close(0));
  return {url: `${server.url}/v1/update/`, events};
}

async function update(t: TestContext, guest: Guest, disk: string, url: string): Promise<void> {
  const machineId = await guest.run(['cat', '/etc/machine-id']);
  await guest.runAsRoot([
    'sh',
    '-c',
    `mkdir -p /etc/caisson && printf 'SERVER=${url}\nGROUP=stable\nREBOOT_STRATEGY=off\n' > /etc/caisson/update.conf
     echo kept > /var/lib/kept && echo '192.0.2.1 kept' >> /etc/hosts`,
  ]);

  const began = performance.now();
  await guest.runAsRoot(['caissonctl', 'update'], {deadlineMs: UPDATE_DEADLINE_MS});
  t.diagnostic(`seconds from "update" to "need reboot": ${seconds(began)}`);
  const waiting = await statusOf(guest);
  assert.equal(waiting.state, 'UPDATED_NEED_REBOOT');
  assert.deepEqual([waiting.nextBoot?.slot, waiting.os.version], ['B', '0.1.0']);
  assert.deepEqual(await slotBits(disk), ['1,0,1', '2,2,0']);
  assert.match(
    await guest.run(['update_engine_client', '-status']),
    /^CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\nNEW_VERSION=0\.2\.0\nNEW_SIZE=\d+$/m,
  );

  const down = performance.now();
  await guest.reboot(BOOT);
  t.diagnostic(`seconds of the reboot: ${seconds(down)}`);
  const good = await statusUntil(
    guest,
    t.signal,
    ({pending, os}) => os.version === '0.2.0' && pending === null,
  );
  assert.deepEqual([good.slot, good.isGood], ['B', true]);
  assert.deepEqual(await slotBits(disk), ['1,0,1', '2,0,1']);
  assert.equal(await guest.run(['cat', '/etc/machine-id']), machineId);
  assert.equal(await guest.run(['cat', '/var/lib/kept']), 'kept\n');
  assert.match(await guest.run(['cat', '/etc/hosts']), /192\.0\.2\.1 kept/);
  assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
  // What made it good: a slot on trial has to show that containers could be started.
  const report = healthSchema.parse(
    JSON.parse(await guest.run(['cat', '/var/lib/caisson/update/health.json'])),
  );
  assert.deepEqual([report.outcome, report.slot, report.version], ['good', 'B', '0.2.0']);
  const containers = report.checks.find(({name}) => name === 'containers');
  assert.equal(containers?.detail, 'containerd answers');
  const markGood = [
    'systemctl',
    'show',
    '--property=Result',
    '--value',
    'caisson-mark-good.service',
  ] as const;
  assert.equal(await guest.run(markGood), 'success\n');
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(0);
}
