/** Kernel arguments of an operator: an addon on the ESP, which the stub of either slot's UKI takes. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ADDON_FOLDER, encodeKernelAddon} from '../../formats/efi-addon.ts';
import {releaseImage} from '../vm/support/paths.ts';
import {BOOT_DEADLINE_MS, withMachine} from '../vm/support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const WITH_ESP = `set -e
mount -o rw /dev/disk/by-partlabel/EFI-SYSTEM /mnt
trap 'umount /mnt' EXIT
`;

describe('an addon on the ESP', () => {
  it('adds its words to the command line, behind those of the release', async (t) => {
    await withMachine(t, {image: releaseImage()}, async (guest) => {
      const before = (await guest.run(['cat', '/proc/cmdline'])).trim();
      const addon = Buffer.from(encodeKernelAddon(['site.rack=12', 'printk.devkmsg=on'])).toString('base64');
      const install = `${WITH_ESP}mkdir -p /mnt/${ADDON_FOLDER}
echo ${addon} | base64 --decode > /mnt/${ADDON_FOLDER}/site.addon.efi`;
      await guest.runAsRoot(['sh', '-c', install]);
      await guest.reboot(BOOT);
      assert.equal(
        (await guest.run(['cat', '/proc/cmdline'])).trim(),
        `${before} site.rack=12 printk.devkmsg=on`,
      );
      // The engine reads and writes this file system by itself; what it does not know stays and does not disturb it.
      await guest.bootFinished(BOOT);
      assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
      await guest.runAsRoot(['caissonctl', 'status']);
    });
  });
});
