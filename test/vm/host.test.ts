/** What a booted host is like: nothing failed, nothing writable that must not be, nothing there that need not be. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';

const image = releaseImage();

/** Complaints of the emulated hardware and of firmware, not of ours. */
const HARDWARE_NOISE =
  /kernel: .*(tsc|APIC calibration|mtrr|amd_pstate|clocksource|IMA|RETBleed|Spectre|TSA|SRSO|GPT|pcieport|ACPI|EXT4-fs .*orphan|loop: module|i801_smbus|sp5100|lpc_ich|unchecked MSR|Speculative|Unstable clock)/i;

describe('units and journal', () => {
  it('has no failed unit and a clean journal', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.equal((await guest.run(['systemctl', 'is-system-running'])).trim(), 'running');
      assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
      const journal = await guest.runAsRoot([
        'journalctl',
        '--boot',
        '--priority=warning',
        '--no-pager',
        '--quiet',
      ]);
      const ours = journal
        .split('\n')
        .filter((line) => line !== '' && !/^ /.test(line) && !HARDWARE_NOISE.test(line));
      assert.deepEqual(ours, []);
    });
  });

  it('has units that systemd finds nothing wrong with', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const units = [
        'default.target',
        'etcd.service',
        'docker.service',
        'ssh.service',
        'sshd-keygen.service',
        'oem.mount',
        'update-engine.service',
        'boot-complete.target',
        'caisson-health.service',
        'caisson-mark-good.service',
        'caisson-rollback.service',
        'caisson-rollback.timer',
        'emergency.service',
      ];
      const {stderr, exitCode} = await guest.ssh.run([
        'sudo',
        'systemd-analyze',
        'verify',
        '--man=no',
        ...units,
      ]);
      assert.deepEqual({stderr, exitCode}, {stderr: '', exitCode: 0});
    });
  });
});

describe('the update engine', () => {
  it('is one file of JavaScript, closed in, with its command on the path', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const {stdout} = await guest.ssh.run([
        'systemd-analyze',
        'security',
        '--no-pager',
        'update-engine.service',
      ]);
      const [, exposure = '10'] = /exposure level for update-engine\.service: (\d+\.\d+)/.exec(stdout) ?? [];
      // It needs the network, raw disks and payloads that lie anywhere; everything else is shut.
      assert.ok(Number(exposure) <= 2.7, `exposure ${exposure}`);
      assert.equal(
        (await guest.run(['readlink', '-f', '/usr/bin/caissonctl'])).trim(),
        '/usr/lib/caisson/caissonctl.mjs',
      );
      assert.equal(
        (await guest.run(['readlink', '-f', '/usr/bin/update_engine_client'])).trim(),
        '/usr/lib/caisson/caissonctl.mjs',
      );
      assert.equal(
        (await guest.run(['stat', '-c', '%U %a', '/usr/share/caisson/update-keys'])).trim(),
        'root 755',
      );
    });
  });
});

describe('the file system', () => {
  it('has the ESP mounted nowhere', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.equal(
        await guest.run(['sh', '-c', 'ls /boot; findmnt -rno TARGET -t vfat,autofs | grep boot || true']),
        '',
      );
    });
  });

  it('gets the accounts of a later release though it has an account file of its own', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      // A host whose passwd was written before etcd came along, as after an update from such a release.
      await guest.runAsRoot([
        'sed',
        '-i',
        '/^etcd:/d',
        '/etc/passwd',
        '/etc/group',
        '/etc/shadow',
        '/etc/gshadow',
      ]);
      await guest.runAsRoot(['systemctl', 'restart', 'systemd-sysusers.service']);
      assert.match(await guest.run(['id', 'etcd']), /^uid=973\(etcd\) gid=973\(etcd\)/);
      const shown = await guest.run([
        'systemctl',
        'show',
        '--property=ConditionResult',
        'systemd-sysusers.service',
      ]);
      assert.match(shown, /ConditionResult=yes/);
    });
  });

  it('cannot be written below /usr, not even by root', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const touch = await guest.ssh.run(['sudo', 'touch', '/usr/bin/mine']);
      assert.match(touch.stderr, /Read-only file system/);
      const remount = await guest.ssh.run(['sudo', 'mount', '-o', 'remount,rw', '/usr']);
      assert.notEqual(remount.exitCode, 0);
      assert.match(
        await guest.run(['findmnt', '-no', 'SOURCE,FSTYPE', '/usr']),
        /^\/dev\/mapper\/usr +erofs/,
      );
      assert.match(await guest.runAsRoot(['dmsetup', 'status', 'usr']), / verity V$/m);
    });
  });

  it('lays the host’s /etc over that of the release', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      await guest.runAsRoot(['sh', '-c', 'echo hello > /etc/mine; echo 10.0.0.1 far >> /etc/hosts']);
      const upper = await guest.runAsRoot(['findmnt', '-no', 'OPTIONS', '/etc']);
      assert.match(upper, /lowerdir=\/sysroot\/usr\/share\/caisson\/etc/);
      assert.match(await guest.run(['cat', '/etc/hosts']), /10\.0\.0\.1 far/);
      assert.doesNotMatch(await guest.run(['cat', '/usr/share/caisson/etc/hosts']), /far/);
    });
  });

  it('holds no package manager, no compiler and no scripting language besides what our programs need', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const unwanted = [
        'apt',
        'apt-get',
        'dpkg',
        'perl',
        'python3',
        'gcc',
        'cc',
        'make',
        'dracut',
        'ukify',
        'man',
      ];
      const {stdout} = await guest.ssh.run([
        'sh',
        '-c',
        unwanted.map((name) => `command -v ${name}`).join('; '),
      ]);
      assert.equal(stdout, '');
      for (const folder of ['/usr/share/doc', '/usr/share/man', '/usr/share/locale', '/var/lib/dpkg']) {
        assert.equal((await guest.ssh.run(['test', '-e', folder])).exitCode, 1, folder);
      }
    });
  });

  it('needs nothing of systemd’s first-boot work for a prebuilt /usr', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const jobs = 'ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service';
      assert.equal(
        await guest.run([
          'sh',
          '-c',
          `systemctl list-units --all --no-legend ${jobs} | grep -v not-found || true`,
        ]),
        '',
      );
      assert.match(await guest.runAsRoot(['sh', '-c', 'ldconfig -p | head -1']), /libs found in cache/);
      assert.match(
        await guest.run(['journalctl', '--catalog', '--list-catalog', '--no-pager']),
        /[0-9a-f]{32}/,
      );
    });
  });
});

describe('accounts', () => {
  it('lets core in by key, with sudo and docker, and has passwords for nobody', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.match(
        await guest.run(['id']),
        /^uid=1000\(core\) gid=1000\(core\) groups=.*27\(sudo\).*970\(docker\)/,
      );
      const shadow = await guest.runAsRoot(['cat', '/etc/shadow']);
      for (const line of shadow.trimEnd().split('\n')) assert.match(line, /^[\w.-]+:[!*]/, line);
    });
  });

  it('says what it is in os-release', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const text = await guest.run(['cat', '/etc/os-release']);
      for (const field of [
        /^ID=caisson$/m,
        /^VERSION_ID=/m,
        /^BUILD_ID="\d{8}-[0-9a-f]{10}"$/m,
        /^CAISSON_CHANNEL=/m,
      ])
        assert.match(text, field);
      assert.equal((await guest.run(['hostname'])).trim(), 'caisson');
      assert.match(await guest.run(['head', '-c', '200', '/usr/share/caisson/sbom.spdx.json']), /SPDX-2\.3/);
    });
  });
});
