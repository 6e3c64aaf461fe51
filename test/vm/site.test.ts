/** A site's own additions: one file and a folder beside it, no fork. Built, booted, and seen at work. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {GUEST_FOLDER} from './support/paths.ts';
import {BOOT_DEADLINE_MS, withMachine} from './support/with-machine.ts';

const ROOT = join(import.meta.dirname, '../..');
const SITE = `
version: 7.1.0
channel: beta
packages:
  include: [tcpdump]
  remove: [vim-tiny]
kernel:
  arguments: [site.marker=1]
enable: [hello-site.service]
`;
const UNIT = `[Unit]
Description=Shows that a site's unit runs
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/touch /run/hello-site
[Install]
WantedBy=multi-user.target
`;
/** tcpdump's package makes an account; its number has to be declared. */
const ACCOUNT = 'u! tcpdump 790 "Packet capture" /nonexistent\n';

describe('a site', () => {
  it('adds a package, a unit, a file in /etc and an account, and takes a package away', async (t) => {
    await mkdir(GUEST_FOLDER, {recursive: true});
    const folder = await mkdtemp(join(GUEST_FOLDER, 'site-'));
    t.after(() => rm(folder, {recursive: true, force: true}));
    for (const [path, text] of [
      ['site.yaml', SITE],
      ['site/usr/lib/systemd/system/hello-site.service', UNIT],
      ['site/usr/lib/sysusers.d/site.conf', ACCOUNT],
      ['site/etc/motd', 'Welcome to the site\n'],
    ] as const) {
      await mkdir(join(folder, path, '..'), {recursive: true});
      await writeFile(join(folder, path), text);
    }
    const out = join(folder, 'out');
    const {stdout} = await exec(
      [join(ROOT, 'caisson'), 'build', '--site', join(folder, 'site.yaml'), '--out', out, '--json'],
      {
        timeoutMs: 20 * 60_000,
      },
    );
    assert.equal((JSON.parse(stdout) as {version: string}).version, '7.1.0');

    await withMachine(t, {image: {path: join(out, '7.1.0', 'disk.raw'), format: 'raw'}}, async (guest) => {
      await guest.bootFinished({deadlineMs: BOOT_DEADLINE_MS});
      assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
      assert.equal((await guest.run(['systemctl', 'is-active', 'hello-site.service'])).trim(), 'active');
      assert.equal(await guest.run(['cat', '/etc/motd']), 'Welcome to the site\n');
      assert.match(await guest.runAsRoot(['tcpdump', '--version'], {}), /libpcap/);
      assert.equal((await guest.run(['id', '-u', 'tcpdump'])).trim(), '790');
      assert.equal((await guest.ssh.run(['test', '-e', '/usr/bin/vim.tiny'])).exitCode, 1);
      assert.match(await guest.run(['cat', '/proc/cmdline']), /site\.marker=1/);
      assert.match(await guest.run(['cat', '/etc/os-release']), /CAISSON_CHANNEL=beta/);
    });
  });
});
