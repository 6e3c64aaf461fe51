/** Ignition on machines: what it makes on a first boot, what it leaves alone later, and a config that cannot work. */
import assert from 'node:assert/strict';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {createOverlay, createEmptyDisk} from '../../qemu/disk.ts';
import {type MachineOptions, startMachine} from '../../qemu/machine.ts';
import {createSshKey} from '../../qemu/ssh.ts';
import {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {
  BOOT_DEADLINE_MS,
  keepingJournal,
  machineOptions,
  withRunning,
  withTestFolder,
} from './support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const GIB = 1024 ** 3;
const FIRMWARE_NAME = 'opt/com.coreos/config';
const DATA_DISK = '/dev/disk/by-id/virtio-data';

/** crypt(3) of "caisson", made with `openssl passwd -6 -salt saltsalt caisson`. */
const PASSWORD_HASH =
  '$6$saltsalt$N1D84NeggfgUoCkvaSnPcYx9rE6sA8vEhitrKy4r0Y1wZhqCHOD9StXoe1dNhpT.8Pz59pUtijPHkCYcln5ch.';

const UNIT = `[Unit]
Description=Shows that a unit of the config runs
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/touch /run/hello
[Install]
WantedBy=multi-user.target
`;
const MOUNT_UNIT = `[Unit]
Before=local-fs.target
Requires=systemd-fsck@dev-disk-by\\x2dpartlabel-data.service
After=systemd-fsck@dev-disk-by\\x2dpartlabel-data.service
[Mount]
Where=/srv/data
What=/dev/disk/by-partlabel/data
Type=ext4
[Install]
RequiredBy=local-fs.target
`;
const SWAP_UNIT = `[Swap]
What=/dev/disk/by-partlabel/swap
[Install]
RequiredBy=swap.target
`;

const fileFrom = (text: string): object => ({source: `data:,${encodeURIComponent(text)}`});

function configWith(publicKey: string): object {
  return {
    ignition: {version: '3.3.0'},
    passwd: {
      groups: [{name: 'makers', gid: 2000}],
      users: [
        {
          name: 'ada',
          passwordHash: PASSWORD_HASH,
          sshAuthorizedKeys: [publicKey],
          groups: ['sudo', 'makers'],
          gecos: 'Ada',
        },
        {name: 'core', sshAuthorizedKeys: [publicKey]},
      ],
    },
    storage: {
      disks: [
        {
          device: DATA_DISK,
          wipeTable: true,
          partitions: [
            {label: 'swap', number: 1, sizeMiB: 256},
            {label: 'data', number: 2, sizeMiB: 0},
          ],
        },
      ],
      filesystems: [
        {device: '/dev/disk/by-partlabel/swap', format: 'swap', wipeFilesystem: true},
        {device: '/dev/disk/by-partlabel/data', format: 'ext4', path: '/srv/data', label: 'data'},
      ],
      directories: [{path: '/srv/data/in', mode: 0o750, user: {name: 'ada'}}],
      files: [
        {path: '/etc/hostname', mode: 0o644, contents: fileFrom('db1\n')},
        {path: '/etc/motd', mode: 0o644, overwrite: true, contents: fileFrom('Configured once\n')},
        {path: '/srv/data/in/note', mode: 0o600, user: {name: 'ada'}, contents: fileFrom('kept\n')},
      ],
      links: [{path: '/etc/localtime', target: '/usr/share/zoneinfo/Europe/Berlin', overwrite: true}],
    },
    systemd: {
      units: [
        {name: 'hello.service', enabled: true, contents: UNIT},
        {name: 'srv-data.mount', enabled: true, contents: MOUNT_UNIT},
        {name: 'dev-disk-by\\x2dpartlabel-swap.swap', enabled: true, contents: SWAP_UNIT},
        {name: 'systemd-resolved.service', dropins: [{name: '10-x.conf', contents: '[Service]\nNice=5\n'}]},
        {name: 'fstrim.timer', enabled: false},
        {name: 'systemd-timesyncd.service', mask: true},
      ],
    },
  };
}

describe('a first boot with a config for Ignition', () => {
  it('stops with the reason, begins anew with a better config, and is never configured again', async (t) => {
    await withTestFolder(t, async (folder, consoleLog) => {
      const key = await createSshKey(folder);
      const [disk, data] = [join(folder, 'disk.qcow2'), join(folder, 'data.qcow2')];
      await createOverlay(disk, releaseImage(), 8 * GIB);
      await createEmptyDisk(data, 'qcow2', GIB);
      const config = join(folder, 'config.ign');
      const options: MachineOptions = {
        ...machineOptions(
          {
            image: releaseImage(),
            moreDisks: [{path: data, format: 'qcow2', serial: 'data', cache: 'unsafe'}],
            firmwareConfig: {[FIRMWARE_NAME]: config},
            // Ignition alone lets people in.
            keyCredential: 'caisson.test-nothing',
          },
          key,
          disk,
        ),
        consoleLog,
        signal: t.signal,
      };

      // Valid, and impossible in its last step: a unit that the host does not have.
      const broken = configWith(key.publicKey) as {systemd: {units: object[]}};
      broken.systemd.units.push({name: 'fleet.service', enabled: true});
      await writeFile(config, JSON.stringify(broken));
      const first = await startMachine(options);
      await withRunning(first, async () => {
        await first.console.waitFor(/caisson: FIRST BOOT FAILED: the host is not configured/, BOOT);
        await first.console.waitFor(/cannot enable fleet\.service/, BOOT);
        await first.console.waitFor(/restarting in 5 minutes/, BOOT);
      });

      await writeFile(config, JSON.stringify(configWith(key.publicKey)));
      const second = await startMachine(options);
      await withRunning(second, async () => {
        await second.console.waitFor(/an earlier first boot was cut short; beginning anew/, BOOT);
        const guest = new Guest(second, second.ssh('ada', key.identityFile));
        await guest.ssh.waitUntilUp({...BOOT, signal: t.signal});
        await keepingJournal(guest, consoleLog, async () => {
          await guest.bootFinished(BOOT);
          await checkConfigured(guest);
          const core = new Guest(second, second.ssh('core', key.identityFile));
          assert.equal(await core.run(['id', '-un']), 'core\n');

          // The source still has a config.
          await guest.runAsRoot(['sh', '-c', 'echo changed > /etc/motd']);
          await guest.reboot(BOOT);
          await guest.bootFinished(BOOT);
          assert.equal(await guest.run(['cat', '/etc/motd']), 'changed\n');
          assert.equal(await guest.run(['cat', '/srv/data/in/note']), 'kept\n');
          assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
        });
      });
    });
  });
});

async function checkConfigured(guest: Guest): Promise<void> {
  const sh = (text: string): Promise<string> => guest.runAsRoot(['sh', '-c', text]);
  assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
  assert.equal(await sh('hostname; cat /etc/motd'), 'db1\nConfigured once\n');
  assert.equal(await sh('readlink /etc/localtime'), '/usr/share/zoneinfo/Europe/Berlin\n');
  assert.match(await sh('id ada'), /sudo.*2000\(makers\)|2000\(makers\).*sudo/);
  assert.match(await sh('getent passwd ada'), /:Ada:\/home\/ada:\/bin\/bash$/m);
  assert.equal((await sh('getent shadow ada')).split(':')[1], PASSWORD_HASH);
  assert.equal(await sh('stat -c "%U %a" /srv/data/in /srv/data/in/note'), 'ada 750\nada 600\n');
  assert.equal(await sh('findmnt -no SOURCE,FSTYPE /srv/data | tr -s " "'), '/dev/vdb2 ext4\n');
  assert.match(await sh('swapon --show=NAME --noheadings'), /^\/dev\/vdb1$/m);
  assert.equal(await sh('systemctl is-active hello.service'), 'active\n');
  assert.match(await sh('systemctl show -P Nice systemd-resolved.service'), /^5$/m);
  assert.match(
    await sh('systemctl is-enabled fstrim.timer systemd-timesyncd.service || true'),
    /^disabled\nmasked\n$/,
  );
  const record = JSON.parse(await sh('cat /etc/caisson/ignition.json')) as Record<string, unknown>;
  assert.equal(record['source'], `fw_cfg ${FIRMWARE_NAME}`);
  assert.match(await sh('cat /etc/.ignition-result.json'), /"userConfigProvided": *true/);
  // Nothing of the config stays in memory, and the first boot is over.
  assert.equal(await sh('ls -d /run/ignition.json /.caisson-first-boot* 2>/dev/null || true'), '');
}
