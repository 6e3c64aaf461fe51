/** The cloud-config of an operator of CoreOS, word for word, on a host; and one with a mistake. */
import assert from 'node:assert/strict';
import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it, type TestContext} from 'node:test';
import {createOverlay} from '../../qemu/disk.ts';
import {startMachine} from '../../qemu/machine.ts';
import {createSshKey} from '../../qemu/ssh.ts';
import {CLASSIC, TEST_KEY} from '../fixtures/cloud-configs.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {startGithub} from '../support/github-keys.ts';
import {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';
import {
  BOOT_DEADLINE_MS,
  keepingJournal,
  machineOptions,
  withMachine,
  withRunning,
  withTestFolder,
} from './support/with-machine.ts';

const image = releaseImage();
const LONG = {deadlineMs: 300_000};
const UNIT = 'caisson-cloudinit.service';
/** This machine, as a guest on QEMU's user network sees it. */
const HOST = '10.0.2.2';

/** A token for a cluster of one, in an etcd that serves as discovery service (its v2 keys are that service's API). */
async function newToken(etcd: EtcdCluster): Promise<string> {
  const path = `/v2/keys/discovery/ba09c`;
  const [member] = etcd.members;
  const answer = await fetch(`http://127.0.0.1:${member?.clientPort}${path}/_config/size`, {
    method: 'PUT',
    body: new URLSearchParams({value: '1'}),
  });
  assert.equal(answer.status, 201);
  return `http://${HOST}:${member?.clientPort}${path}`;
}

/** A guest that nobody can log in to but by what its cloud-config says. */
async function withConfiguredGuest(
  t: TestContext,
  config: (publicKey: string) => Promise<{text: string; kernelArguments: string[]}>,
  use: (guest: Guest, consoleLog: string) => Promise<void>,
): Promise<void> {
  await withTestFolder(t, async (folder, consoleLog) => {
    const key = await createSshKey(folder);
    const {text, kernelArguments} = await config(key.publicKey);
    const [file, disk] = [join(folder, 'user-data'), join(folder, 'disk.qcow2')];
    await writeFile(file, text);
    await createOverlay(disk, image, 8 * 1024 ** 3);
    const machine = await startMachine({
      ...machineOptions({image, kernelArguments, keyCredential: 'test.not-used'}, key, disk),
      firmwareConfig: {'opt/com.coreos/config': file},
      consoleLog,
      signal: t.signal,
    });
    await withRunning(machine, async () => {
      const guest = new Guest(machine, machine.ssh('core', key.identityFile));
      // Nobody can log in before the config was applied, which is the last thing of a boot.
      await guest.ssh.waitUntilUp({deadlineMs: 2 * BOOT_DEADLINE_MS, signal: t.signal});
      await keepingJournal(guest, consoleLog, () => use(guest, consoleLog));
    });
  });
}

const show = async (guest: Guest, unit: string, property: string): Promise<string> =>
  (await guest.run(['systemctl', 'show', '--value', `--property=${property}`, unit])).trim();

describe('cloud-config', () => {
  it('works word for word: core logs in with the imported key, etcd forms its cluster, fleet.service is named', async (t) => {
    const etcd = await startEtcd({args: ['--enable-v2=true']});
    t.after(() => etcd.stop());
    const discovery = await newToken(etcd);
    await withConfiguredGuest(
      t,
      async (publicKey) => {
        const github = await startGithub('philips', publicKey);
        t.after(() => github.stop());
        return {
          text: CLASSIC.replace('https://discovery.etcd.io/ba09c', discovery),
          kernelArguments: [`caisson.github-api=http://${HOST}:${github.port}`],
        };
      },
      async (guest, consoleLog) => {
        await guest.bootFinished({deadlineMs: BOOT_DEADLINE_MS});
        assert.equal((await guest.run(['systemctl', 'is-active', 'etcd.service'])).trim(), 'active');
        const list = await guest.run(['etcdctl', 'member', 'list'], LONG);
        assert.match(list, /http:\/\/10\.0\.2\.15:2380/);
        const registry = `http://127.0.0.1:${etcd.members[0]?.clientPort}/v2/keys/discovery/ba09c`;
        assert.match(await (await fetch(registry)).text(), /10\.0\.2\.15:2380/);

        assert.equal(await show(guest, UNIT, 'Result'), 'exit-code');
        const journal = await guest.runAsRoot(['journalctl', '--boot', '--unit', UNIT, '--output=cat']);
        assert.match(journal, /there is no unit fleet\.service on this system/);
        assert.match(
          await readFile(consoleLog, 'utf8'),
          /caisson-cloudinit: there is no unit fleet\.service/,
        );
        assert.match(await guest.run(['systemctl', 'is-active', 'boot-complete.target']), /^active/);

        await guest.runAsRoot([
          'sh',
          '-c',
          'printf "[Service]\\nExecStart=/bin/sleep inf\\n" > /etc/systemd/system/fleet.service',
        ]);
        assert.match(
          await guest.runAsRoot(['caisson-cloudinit', 'apply', '--dry-run'], LONG),
          /^\* start fleet\.service$/m,
        );
        await guest.runAsRoot(['caisson-cloudinit', 'apply'], LONG);
        assert.equal(await show(guest, 'fleet.service', 'ActiveState'), 'active');

        await guest.reboot({deadlineMs: BOOT_DEADLINE_MS});
        await guest.bootFinished({deadlineMs: BOOT_DEADLINE_MS});
        assert.equal(await show(guest, UNIT, 'Result'), 'success');
        assert.equal(await show(guest, 'etcd.service', 'ActiveState'), 'active');
        assert.equal(await show(guest, 'fleet.service', 'ActiveState'), 'active');
      },
    );
  });

  it('tells on the console what is wrong with it, and the boot goes on', async (t) => {
    await withMachine(
      t,
      {image, credentials: {}, firmwareConfig: {'opt/com.coreos/config': await badConfig(t)}},
      async (guest) => {
        await guest.bootFinished({deadlineMs: BOOT_DEADLINE_MS});
        assert.equal(await show(guest, UNIT, 'Result'), 'exit-code');
        const journal = await guest.runAsRoot(['journalctl', '--boot', '--unit', UNIT, '--output=cat']);
        assert.match(journal, /opt\/com\.coreos\/config\/raw:4:\d+: error: .*line 4/);
        assert.match(await guest.run(['systemctl', 'is-active', 'boot-complete.target']), /^active/);
      },
    );
  });

  it('is applied again with a diff first, and makes accounts with the tools of the host', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.equal(await show(guest, UNIT, 'ConditionResult'), 'no');
      const config = [
        '#cloud-config',
        'hostname: renamed',
        'users:',
        '  - name: elroy',
        '    passwd: $6$5s2u6/jR$un0AvWnqilcgaNB3Mkxd5yYv6mTlWfOoCYHZmfi3LDKVltj.E8XNKEcwWm',
        '    groups: [docker, sudo]',
        `    ssh-authorized-keys: ["${TEST_KEY}"]`,
        'write_files:',
        '  - {path: /home/elroy/hello, content: hello, owner: elroy, permissions: "0600"}',
        'coreos:',
        '  update: {reboot-strategy: off}',
        '  units:',
        '    - name: hello.service',
        '      command: start',
        '      enable: true',
        '      content: |',
        '        [Service]',
        '        Type=oneshot',
        '        ExecStart=/usr/bin/touch /run/hello',
        '        RemainAfterExit=yes',
        '        [Install]',
        '        WantedBy=multi-user.target',
        '',
      ].join('\n');
      await guest
        .runAsRoot(['tee', '/var/lib/caisson/cloud-config/user-data'], {stdin: config})
        .catch(async () => {
          await guest.runAsRoot(['install', '-d', '-m', '0700', '/var/lib/caisson/cloud-config']);
          await guest.runAsRoot(['tee', '/var/lib/caisson/cloud-config/user-data'], {stdin: config});
        });
      const diff = await guest.runAsRoot(['caisson-cloudinit', 'apply', '--dry-run'], LONG);
      assert.match(diff, /^\+ user elroy$/m);
      assert.match(diff, /^ {4}\+REBOOT_STRATEGY=off$/m);
      assert.equal((await guest.ssh.run(['id', 'elroy'])).exitCode, 1);

      await guest.runAsRoot(['caisson-cloudinit', 'apply'], LONG);
      assert.match(await guest.run(['id', 'elroy']), /docker.*sudo|sudo.*docker/);
      assert.match(await guest.runAsRoot(['getent', 'shadow', 'elroy']), /^elroy:\$6\$5s2u6/);
      assert.equal((await guest.runAsRoot(['stat', '-c', '%U %a', '/home/elroy/hello'])).trim(), 'elroy 600');
      assert.equal((await guest.run(['hostname'])).trim(), 'renamed');
      assert.equal(await show(guest, 'hello.service', 'ActiveState'), 'active');
      assert.equal(await show(guest, 'hello.service', 'UnitFileState'), 'enabled');
      assert.equal(await guest.runAsRoot(['caisson-cloudinit', 'apply'], LONG), '');

      await guest.runAsRoot(['tee', '/var/lib/caisson/cloud-config/user-data'], {stdin: '#cloud-config\n'});
      await guest.runAsRoot(['caisson-cloudinit', 'apply'], LONG);
      assert.equal(await show(guest, 'hello.service', 'LoadState'), 'not-found');
      assert.match(await guest.run(['id', 'elroy']), /elroy/, 'accounts stay');
    });
  });
});

async function badConfig(t: TestContext): Promise<string> {
  const {mkdtemp, rm} = await import('node:fs/promises');
  const {tmpdir} = await import('node:os');
  const folder = await mkdtemp(join(tmpdir(), 'user-data-'));
  t.after(() => rm(folder, {recursive: true}));
  await writeFile(join(folder, 'user-data'), '#cloud-config\nusers:\n  - name: core\n   shell: /bin/bash\n');
  return join(folder, 'user-data');
}
