/** Where a cloud-config comes from, on machines: a config drive, and an address on the kernel's command line. */
import assert from 'node:assert/strict';
import {truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {createOverlay} from '../../qemu/disk.ts';
import {startMachine} from '../../qemu/machine.ts';
import {createSshKey} from '../../qemu/ssh.ts';
import {startAnswers} from '../support/answer-server.ts';
import {skipWithout} from '../support/tool.ts';
import {Guest} from '../vm/support/guest.ts';
import {releaseImage} from '../vm/support/paths.ts';
import {
  BOOT_DEADLINE_MS,
  type GuestOptions,
  keepingJournal,
  machineOptions,
  withRunning,
  withTestFolder,
} from '../vm/support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const MIB = 1024 ** 2;
const UNIT = 'caisson-cloudinit.service';
const skip = await skipWithout(['mkfs.vfat', 'mcopy', 'mmd'], 'dosfstools and mtools');

const configFor = (publicKey: string, hostname: string): string =>
  ['#cloud-config', `hostname: ${hostname}`, 'ssh_authorized_keys:', `  - ${publicKey}`, ''].join('\n');

describe('a cloud-config', {skip}, () => {
  it('comes from a config drive, or before it from an address, whose last answer is kept', async (t) => {
    const server = await startAnswers(t, {'/circle': {redirect: '/circle'}});
    await withTestFolder(t, async (folder, consoleLog) => {
      const key = await createSshKey(folder);
      const [disk, drive] = [join(folder, 'disk.qcow2'), join(folder, 'drive.img')];
      await createOverlay(disk, releaseImage(), 8 * 1024 * MIB);
      await makeConfigDrive(drive, configFor(key.publicKey, 'from-drive'), folder);
      const boot = async (
        options: Partial<GuestOptions>,
        use: (guest: Guest, journal: string) => Promise<void>,
      ): Promise<void> => {
        const machine = await startMachine({
          ...machineOptions(
            {
              image: releaseImage(),
              keyCredential: 'test.not-used',
              moreDisks: [{path: drive, format: 'raw', readOnly: true}],
              ...options,
            },
            key,
            disk,
          ),
          consoleLog,
          signal: t.signal,
        });
        await withRunning(machine, async () => {
          const guest = new Guest(machine, machine.ssh('core', key.identityFile));
          await guest.ssh.waitUntilUp({...BOOT, signal: t.signal});
          await keepingJournal(guest, consoleLog, async () => {
            await guest.bootFinished(BOOT);
            const journal = ['journalctl', '--boot', '--unit', UNIT, '--output=cat'] as const;
            await use(guest, await guest.runAsRoot(journal));
            await guest.runAsRoot(['sync']);
          });
        });
      };

      await boot({}, async (guest) => {
        assert.equal(await guest.run(['hostname']), 'from-drive\n');
        assert.equal(await guest.run(['findmnt', '--noheadings', '/dev/vdb']).catch(() => ''), '');
        assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
      });

      const kernelArguments = [`cloud-config-url=${server.guestUrl}/config`];
      server.answers.set('/config', {redirect: '/there'});
      server.answers.set('/there', configFor(key.publicKey, 'from-address'));
      await boot({kernelArguments}, async (guest) => {
        assert.equal(await guest.run(['hostname']), 'from-address\n');

        // The next boots: an answer with a mistake, then none.
        server.answers.set('/there', '#cloud-config\nhostname: a\n  users: []\n');
        await guest.reboot(BOOT);
        await guest.bootFinished(BOOT);
        const mistake = await guest.runAsRoot(['journalctl', '--boot', '--unit', UNIT, '--output=cat']);
        assert.match(mistake, /\/config:\d+:\d+: error: .*line \d/);
        server.answers.set('/config', {redirect: '/circle'});
        server.answers.set('/there', configFor(key.publicKey, 'from-address'));
        await guest.reboot(BOOT);
        await guest.bootFinished(BOOT);
        const circle = await guest.runAsRoot(['journalctl', '--boot', '--unit', UNIT, '--output=cat']);
        assert.match(circle, /leads in a circle.*what it gave last time is used/);
      });
    });
  });
});

/** A disk as OpenStack gives one, with FAT for a file system. */
async function makeConfigDrive(image: string, userData: string, folder: string): Promise<void> {
  const file = join(folder, 'user_data');
  await writeFile(file, userData);
  await writeFile(image, '');
  await truncate(image, 64 * MIB);
  await exec(['mkfs.vfat', '-n', 'config-2', image]);
  await exec(['mmd', '-i', image, '::/openstack', '::/openstack/latest']);
  await exec(['mcopy', '-i', image, file, '::/openstack/latest/user_data']);
}
