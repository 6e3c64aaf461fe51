/** More of machines that run from their boot image: UEFI HTTP boot, a ROOT on a disk, and following a channel. */
import assert from 'node:assert/strict';
import {mkdtemp, rename, rm, symlink} from 'node:fs/promises';
import {join} from 'node:path';
import {type TestContext, describe, it} from 'node:test';
import {createEmptyDisk} from '../../qemu/disk.ts';
import {sha256File} from '../../platform/files.ts';
import {localImage} from '../vm/support/container-image.ts';
import type {Guest} from '../vm/support/guest.ts';
import {withLiveMachine} from '../vm/support/live.ts';
import {GUEST_FOLDER} from '../vm/support/paths.ts';
import {firstRelease, readRelease, secondRelease} from '../vm/support/releases.ts';
import {serveRelease} from '../vm/support/served-release.ts';
import {statusOf, statusUntil} from '../vm/support/updates.ts';

const NAME = 'local/busybox:1';
const LONG = {deadlineMs: 900_000};
const UUID = '0f5a2f4e-6b8e-4a57-9a5c-2f6b1f0f5e12';
const DISK_BYTES = 512 * 1024 ** 2;

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(GUEST_FOLDER, 'live-'));
  t.after(() => rm(folder, {recursive: true, force: true}));
  return folder;
}

async function rootOf(guest: Guest): Promise<string> {
  return (await guest.run(['findmnt', '--noheadings', '--raw', '--output', 'SOURCE,FSTYPE', '/'])).trim();
}

describe('UEFI HTTP boot', () => {
  it('starts the UKI that the firmware fetched, and runs a container in 1.5 GiB', async (t) => {
    const options = {
      release: firstRelease(),
      kind: 'http',
      memoryMiB: 1536,
      kernelArguments: ['caisson.test=1'],
    } as const;
    await withLiveMachine(t, options, async (guest, netBoot) => {
      assert.ok(netBoot.requests.includes('GET /live.efi'), netBoot.requests.join(', '));
      assert.match(
        await guest.run(['cat', '/proc/cmdline']),
        /systemd\.machine_id=firmware.*caisson\.test=1/,
      );
      assert.match(await rootOf(guest), /tmpfs$/);
      await guest.run(['docker', 'load'], {...LONG, stdin: await localImage(NAME)});
      const inside = ['docker', 'run', '--rm', '--network=none', NAME, 'echo', 'hello'] as const;
      assert.equal((await guest.run(inside, LONG)).trim(), 'hello');
      t.diagnostic(await guest.run(['free', '--mebi']));
    });
  });
});

describe('a disk labelled ROOT', () => {
  it('is used from then on, and another one is left as it is', async (t) => {
    const folder = await scratch(t);
    const [mine, other] = ['mine.raw', 'other.raw'].map((name) => join(folder, name)) as [string, string];
    for (const path of [mine, other]) await createEmptyDisk(path, 'raw', DISK_BYTES);
    const before = await sha256File(other, t.signal);
    const disks = [mine, other].map((path) => ({path, format: 'raw'}) as const);
    await withLiveMachine(t, {release: firstRelease(), disks, uuid: UUID}, async (guest) => {
      assert.match(await rootOf(guest), /tmpfs$/);
      await guest.runAsRoot(['mkfs.ext4', '-q', '-L', 'ROOT', '/dev/vda']);
      await guest.reboot(LONG);
      assert.equal(await rootOf(guest), '/dev/vda ext4');
      assert.equal((await guest.run(['cat', '/etc/machine-id'])).trim(), UUID.replaceAll('-', ''));
      await guest.runAsRoot(['sh', '-c', 'echo kept > /var/lib/kept && echo kept > /etc/kept && sync']);
      const key = await guest.run(['cat', '/etc/ssh/ssh_host_ed25519_key.pub']);
      await guest.reboot(LONG);
      assert.equal(await guest.run(['cat', '/var/lib/kept', '/etc/kept']), 'kept\nkept\n');
      assert.equal(await guest.run(['cat', '/etc/ssh/ssh_host_ed25519_key.pub']), key);
      assert.equal(
        await guest.run(['lsblk', '--noheadings', '--raw', '--output', 'FSTYPE', '/dev/vdb']),
        '\n',
      );
    });
    assert.equal(await sha256File(other, t.signal), before);
  });
});

describe('a channel that moves on', () => {
  it('is news to the host, which restarts by its strategy into what the boot server has by then', async (t) => {
    const folder = await scratch(t);
    const current = join(folder, 'current');
    const next = await secondRelease();
    await symlink(firstRelease(), current);
    const server = await serveRelease(t, join(folder, 'served'), firstRelease());
    await withLiveMachine(t, {release: current, memoryMiB: 1536, uuid: UUID}, async (guest) => {
      const conf = `SERVER=${server.url}\nREBOOT_STRATEGY=off\nREBOOT_IMAGE_INTERVAL=1s\n`;
      const configure = (text: string): Promise<string> =>
        guest.runAsRoot(['sh', '-c', 'mkdir -p /etc/caisson && cat > /etc/caisson/update.conf'], {
          stdin: text,
        });
      await configure(conf);
      await statusUntil(guest, t.signal, ({state, waiting}) => {
        return state === 'IDLE' && !waiting.join().includes('good yet');
      });
      await server.promote(next);
      const {version} = await readRelease(next);
      await guest.runAsRoot(['caissonctl', 'update'], LONG);
      const told = await statusOf(guest);
      assert.equal(told.state, 'UPDATED_NEED_REBOOT');
      assert.equal(told.waiting[0], `a newer boot image is available: ${version}`);

      await symlink(next, `${current}.new`);
      await rename(`${current}.new`, current);
      await guest.afterReboot(
        () =>
          configure(conf.replace('=off', '=reboot')).then(() =>
            guest.runAsRoot(['caissonctl', 'reboot']).catch(() => undefined),
          ),
        LONG,
      );
      const status = await statusOf(guest);
      assert.deepEqual([status.os.version, status.isLive], [version, true]);
    });
  });
});
