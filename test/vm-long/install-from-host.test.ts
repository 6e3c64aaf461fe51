/**
 * A disk is installed from a running host, over HTTP from the release server, and judged from outside by tools that are
 * not ours. What the installed disk does when it boots is in install.test.ts.
 */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {createEmptyDisk} from '../../qemu/disk.ts';
import {releaseFolder} from '../support/release.ts';
import {GUEST_FOLDER, releaseImage} from '../vm/support/paths.ts';
import {IGNITION_CONFIG, checkInstalledDisk} from '../vm/support/installed-disk.ts';
import {serveRelease} from '../vm/support/served-release.ts';
import {UPDATE_DEADLINE_MS} from '../vm/support/updates.ts';
import {withMachine} from '../vm/support/with-machine.ts';

const GIB = 1024 ** 3;
const REFUSED = 3;

interface Listing {
  disks: {path: string; bytes: number; uses: {text: string}[]}[];
}

describe('the installer on a running host', () => {
  it('installs an empty disk from the server, and leaves the one in use alone', async (t) => {
    const folder = await mkdtemp(join(GUEST_FOLDER, 'install-'));
    t.after(() => rm(folder, {recursive: true, force: true}));
    const target = join(folder, 'target.raw');
    await createEmptyDisk(target, 'raw', 7 * GIB);
    const server = await serveRelease(t, join(folder, 'served'), releaseFolder());
    const options = {
      image: releaseImage(),
      moreDisks: [{path: target, format: 'raw', cache: 'unsafe', serial: 'empty'}],
    } as const;
    await withMachine(t, options, async (guest) => {
      const {disks} = JSON.parse(await guest.run(['caisson-install', '--list', '--json'])) as Listing;
      assert.deepEqual(
        disks.map(({path, bytes}) => [path, bytes / GIB]),
        [
          ['/dev/vda', 8],
          ['/dev/vdb', 7],
        ],
      );
      assert.match(JSON.stringify(disks[0]?.uses), /mounted on \/usr"/);
      assert.deepEqual(disks[1]?.uses, []);
      const refused = await guest.ssh.run([
        'sudo',
        '-n',
        'caisson-install',
        '-d',
        '/dev/vda',
        '-s',
        server.url,
      ]);
      assert.equal(refused.exitCode, REFUSED);
      assert.match(refused.stderr, /is what this system runs from/);

      await guest.run(['sh', '-c', 'cat > config.ign'], {stdin: IGNITION_CONFIG});
      const began = performance.now();
      const said = await guest.runAsRoot(
        [
          ...(['caisson-install', '-d', '/dev/vdb', '-C', 'stable', '-s', server.url] as const),
          ...['-i', 'config.ign', '-o', 'test-metal'],
        ],
        {deadlineMs: UPDATE_DEADLINE_MS},
      );
      t.diagnostic(`seconds of the installation: ${((performance.now() - began) / 1000).toFixed(0)}`);
      assert.match(said, /\/dev\/vdb boots Caisson 0\.1\.0 .* the first boot applies your config/);
      // The kernel has looked again; what udev makes of that takes a moment.
      await guest.runAsRoot(['udevadm', 'settle']);
      assert.match(
        await guest.run(['lsblk', '-nro', 'PARTLABEL', '/dev/vdb']),
        /^EFI-SYSTEM\nUSR-A\nUSR-B\nOEM$/m,
      );
    });
    await checkInstalledDisk(target, releaseFolder(), folder, {
      '/config.ign': IGNITION_CONFIG,
      '/oem-release': 'ID=test-metal\n',
      '/update.conf': `SERVER=${server.url}\nGROUP=stable\n`,
    });
  });
});
