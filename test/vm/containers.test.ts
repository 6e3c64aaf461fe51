/** Containers on a booted host, from an image made here: no registry is involved. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {localImage} from './support/container-image.ts';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';

const image = releaseImage();
const NAME = 'local/busybox:1';
/** The first container also starts docker and containerd, which are off until their socket is used. */
const LONG = {deadlineMs: 300_000};

async function loadImage(guest: Guest): Promise<void> {
  assert.match(await guest.run(['docker', 'load'], {...LONG, stdin: await localImage(NAME)}), /Loaded image/);
}

function inContainer(guest: Guest, script: string, ...options: string[]): Promise<string> {
  return guest.run(['docker', 'run', '--rm', ...options, NAME, 'sh', '-c', script], LONG);
}

describe('docker', () => {
  it('starts with its socket and runs a container of its own namespaces', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.equal((await guest.run(['systemctl', 'is-active', 'docker.socket'])).trim(), 'active');
      await loadImage(guest);
      assert.equal((await inContainer(guest, 'echo $$')).trim(), '1');
      const info = await guest.run(['docker', 'info'], LONG);
      for (const fact of [
        /Storage Driver: overlay2/,
        /Cgroup Driver: systemd/,
        /Cgroup Version: 2/,
        /seccomp/,
        /apparmor/,
      ]) {
        assert.match(info, fact);
      }
    });
  });

  it('confines a container: memory limit, seccomp, AppArmor, its own network', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      await loadImage(guest);
      assert.equal(
        (await inContainer(guest, 'cat /sys/fs/cgroup/memory.max', '--memory=32m')).trim(),
        String(32 << 20),
      );
      // Reading 200 MiB into one buffer must end by the OOM killer: 128 + SIGKILL.
      const greedy = [
        'docker',
        'run',
        '--rm',
        '--memory=32m',
        '--memory-swap=32m',
        NAME,
        'dd',
        'if=/dev/zero',
        'of=/dev/null',
        'bs=200M',
        'count=1',
      ] as const;
      assert.equal((await guest.ssh.run(greedy, LONG)).exitCode, 137);
      assert.match(
        await inContainer(guest, 'cat /proc/self/attr/current; grep Seccomp: /proc/self/status'),
        /docker-default \(enforce\)\nSeccomp:\t2/,
      );
      const links = await inContainer(guest, 'ip -o addr show; ping -c 1 -W 10 172.17.0.1');
      assert.match(links, /eth0.* inet 172\.17\.0\.\d+/);
      assert.match(links, /1 packets received/);
    });
  });

  it('runs containers in a user namespace when told to', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      await guest.runAsRoot(['sh', '-c', `echo '{"userns-remap": "default"}' > /etc/docker/daemon.json`]);
      await loadImage(guest);
      assert.match(await inContainer(guest, 'id -u; cat /proc/self/uid_map'), /^0\n +0 +200000 +65536\n/);
      assert.match(await guest.run(['unshare', '--user', '--map-root-user', 'id', '-u']), /^0$/m);
    });
  });
});
