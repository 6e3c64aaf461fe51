/**
 * Two hosts follow two channels of the release server: one release goes from alpha to stable by promotion, the same bytes,
 * and the page tells which host runs what. The server signs its channels, and its mirror is dead. Everything is done by the
 * commands that an operator has.
 */
import assert from 'node:assert/strict';
import {copyFile, mkdir, symlink} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {type TestContext, describe, it} from 'node:test';
import {type Release, RELEASE_FILE, fileOfRole} from '../../formats/release.ts';
import {PAYLOAD_FILE} from '../../payload/make.ts';
import {exec} from '../../platform/exec.ts';
import {channelKeys, updateKeys} from '../support/release.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';
import {ROOT_DIR} from '../support/sources.ts';
import type {Guest} from '../vm/support/guest.ts';
import {releaseImage} from '../vm/support/paths.ts';
import {firstRelease, readRelease, secondRelease} from '../vm/support/releases.ts';
import {UPDATE_DEADLINE_MS, deltaPayload, statusOf, statusUntil} from '../vm/support/updates.ts';
import {BOOT_DEADLINE_MS, withMachine, withTestFolder} from '../vm/support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const DOCUMENT_ROLES = ['sbom', 'lock'];
const DEAD_MIRROR = 'http://10.0.2.2:1';

/** A folder that `caisson publish` takes: what describes the release, and a payload that is quick to install. */
async function publishable(folder: string): Promise<{directory: string; release: Release}> {
  const built = await secondRelease();
  const release = await readRelease(built);
  const directory = join(folder, release.version);
  const payload = join(directory, PAYLOAD_FILE);
  await mkdir(dirname(payload), {recursive: true});
  for (const name of [RELEASE_FILE, ...DOCUMENT_ROLES.map((role) => fileOfRole(release, role))])
    await copyFile(join(built, name), join(directory, name));
  await symlink(await deltaPayload(firstRelease(), built), payload);
  return {directory, release};
}

async function operate(server: ServerProcess, ...words: readonly string[]): Promise<string> {
  const env = {CAISSON_SERVER_URL: server.url, CAISSON_TOKEN: server.token};
  return (await exec([join(ROOT_DIR, 'caisson'), ...words], {env})).stdout;
}

async function follow(guest: Guest, url: string, group: string): Promise<void> {
  const lines = [`SERVER=${url}`, `GROUP=${group}`, 'REBOOT_STRATEGY=reboot', `MACHINE_ALIAS=host-${group}`];
  await guest.bootFinished(BOOT);
  await guest.runAsRoot(['sh', '-c', 'mkdir -p /etc/caisson && cat > /etc/caisson/update.conf'], {
    stdin: Buffer.from(`${lines.join('\n')}\n`),
  });
}

/** Asks the server now; it ends with an error code when there is nothing, which is an answer here. */
async function check(guest: Guest): Promise<void> {
  await guest.runAsRoot(['caissonctl', 'check']).catch(() => undefined);
}

/** Without waiting for the next check of its own, the host takes what its group is offered, and restarts into it. */
async function moves(t: TestContext, guest: Guest, version: string): Promise<void> {
  await guest.runAsRoot(['caissonctl', 'update'], {deadlineMs: UPDATE_DEADLINE_MS});
  await statusUntil(guest, t.signal, ({os, isGood, pending}) => {
    return os.version === version && isGood === true && pending === null;
  });
  const journal = await guest.run(['journalctl', '--unit', 'update-engine', '--output', 'cat', '--no-pager']);
  assert.match(journal, /10\.0\.2\.2:1\b/, 'the mirror was not asked');
}

/** The host believes what the server signs, and it says that the channel stands there. */
async function seesChannelAt(guest: Guest, version: string): Promise<void> {
  await check(guest);
  const {channel} = await statusOf(guest);
  assert.deepEqual([channel?.standing, channel?.version], ['current', version], JSON.stringify(channel));
}

/** The page of a group as text, as somebody sees it who signed in with the first token. */
async function pageOf(server: ServerProcess, group: string): Promise<string> {
  const signIn = await fetch(`${server.url}/ui/sign-in`, {
    ...{method: 'POST', redirect: 'manual'},
    body: new URLSearchParams({token: server.token, to: '/ui/'}),
  });
  const cookie = (signIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const answer = await fetch(`${server.url}/ui/groups/${group}`, {headers: {cookie}});
  assert.equal(answer.status, 200);
  return (await answer.text()).replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
}

describe('hosts of two channels', () => {
  it('move to a release when it is promoted to theirs, and the page shows it', async (t) => {
    await withTestFolder(t, async (folder) => {
      const {directory, release} = await publishable(folder);
      const {privateKey, publicKey} = updateKeys();
      const served = join(folder, 'server');
      await mkdir(served);
      // Nobody answers at the mirror, so that hosts have to take the payload from the server.
      const given = ['--key', publicKey, '--channel-key', channelKeys().privateKey, '--mirror', DEAD_MIRROR];
      const server = await startServerProcess({dir: served, args: given});
      t.after(() => server.stop('SIGTERM'));
      const url = `${server.url.replace('127.0.0.1', '10.0.2.2')}/v1/update/`;
      for (const group of ['alpha', 'stable'])
        await operate(server, 'group', 'set', group, '--pace', 'at once');
      await operate(server, 'release', 'sign', directory, '--key', privateKey);

      await withMachine(t, {image: releaseImage(), name: 'alpha'}, async (alpha) => {
        await follow(alpha, url, 'alpha');
        await withMachine(t, {image: releaseImage(), name: 'stable'}, async (stable) => {
          await follow(stable, url, 'stable');
          for (const host of [alpha, stable]) await check(host);

          const said = await operate(server, 'publish', directory, '--key', publicKey, '--channel', 'alpha');
          assert.match(said, /^0\.2\.0 is published .*\nalpha is at 0\.2\.0 now$/m);
          await check(stable);
          await moves(t, alpha, release.version);
          await seesChannelAt(alpha, release.version);
          assert.match(await pageOf(server, 'alpha'), /100 % up to date 1 of 1/);
          assert.match(await stable.run(['caissonctl', 'status']), /running +0\.1\.0/);

          await operate(server, 'channel', 'promote', 'alpha', 'stable');
          await moves(t, stable, release.version);
          await seesChannelAt(stable, release.version);
          assert.match(await pageOf(server, 'stable'), /100 % up to date 1 of 1/);
        });
      });
      const timeline = await operate(server, 'instance', 'list', '--version', release.version);
      t.diagnostic(timeline);
      assert.match(timeline, /host-alpha/);
      assert.match(timeline, /host-stable/);
    });
  });
});
