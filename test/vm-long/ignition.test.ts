/** First boots with Ignition: over the network, with a power cut in the middle, from other sources, and with bad configs. */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {copyFile, readFile, writeFile} from 'node:fs/promises';
import {constants} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {createEmptyDisk, createOverlay} from '../../qemu/disk.ts';
import {type Machine, type MachineOptions, startMachine} from '../../qemu/machine.ts';
import {type SshKey, createSshKey} from '../../qemu/ssh.ts';
import {type AnswerServer, startAnswers} from '../support/answer-server.ts';
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
const GIB = 1024 ** 3;
const RECORD = '/etc/caisson/ignition.json';
const skip = await skipWithout(['sfdisk', 'debugfs'], 'e2fsprogs and fdisk');

const sha256 = (text: string): string => `sha256-${createHash('sha256').update(text).digest('hex')}`;

function configWith(publicKey: string, storage: object = {}): object {
  return {
    ignition: {version: '3.3.0'},
    passwd: {users: [{name: 'core', sshAuthorizedKeys: [publicKey]}]},
    storage,
  };
}

interface Stage {
  readonly folder: string;
  readonly key: SshKey;
  readonly consoleLog: string;
  /** A machine with this disk, and nothing that lets people in but the config. */
  start(disk: string, options?: Partial<GuestOptions>): Promise<Machine>;
  /** Waits until `core` gets in, and keeps the journal of a failure. */
  inside(machine: Machine, use: (guest: Guest) => Promise<void>): Promise<void>;
}

async function onStage(t: TestContext, use: (stage: Stage) => Promise<void>): Promise<void> {
  await withTestFolder(t, async (folder, consoleLog) => {
    const key = await createSshKey(folder);
    await use({
      folder,
      key,
      consoleLog,
      start(disk, options = {}) {
        const whole = {image: releaseImage(), keyCredential: 'test.not-used', ...options};
        const machine: MachineOptions = {...machineOptions(whole, key, disk), consoleLog, signal: t.signal};
        return startMachine(machine);
      },
      async inside(machine, body) {
        const guest = new Guest(machine, machine.ssh('core', key.identityFile));
        await guest.ssh.waitUntilUp({...BOOT, signal: t.signal});
        await keepingJournal(guest, consoleLog, async () => {
          await guest.bootFinished(BOOT);
          await body(guest);
        });
      },
    });
  });
}

async function newDisk({folder}: Stage, name = 'disk'): Promise<string> {
  const disk = join(folder, `${name}.qcow2`);
  await createOverlay(disk, releaseImage(), 8 * GIB);
  return disk;
}

const sourceOf = async (guest: Guest): Promise<string> =>
  (JSON.parse(await guest.runAsRoot(['cat', RECORD])) as {source: string}).source;
const urlArgument = ({guestUrl}: AnswerServer): string[] => [`ignition.config.url=${guestUrl}/config`];

describe('a first boot by ignition.config.url', () => {
  it('whose power is cut begins anew, on disks of its own as well, and comes to its end', async (t) => {
    const server = await startAnswers(t);
    await onStage(t, async (stage) => {
      const [disk, data] = [await newDisk(stage), join(stage.folder, 'data.qcow2')];
      await createEmptyDisk(data, 'qcow2', GIB);
      const device = '/dev/disk/by-id/virtio-data';
      const last = 'the last file\n';
      const config = configWith(stage.key.publicKey, {
        filesystems: [{device, format: 'ext4', path: '/srv/data', label: 'data'}],
        files: [
          {path: '/etc/first', contents: {source: 'data:,first'}},
          {path: '/srv/data/note', contents: {source: 'data:,note'}},
          // The deepest comes last. The name is one that only systemd-resolved knows.
          {
            path: '/srv/data/a/b/c/last',
            contents: {source: `http://_gateway:${server.port}/last`, verification: {hash: sha256(last)}},
          },
        ],
      });
      server.answers.set('/config', JSON.stringify(config));
      server.answers.set('/last', {never: true});
      const options = {
        kernelArguments: urlArgument(server),
        moreDisks: [{path: data, format: 'qcow2' as const, serial: 'data', cache: 'unsafe' as const}],
      };
      const asked = server.asked('/last');
      const first = await stage.start(disk, options);
      await withRunning(first, async () => {
        await first.console.waitFor(/asking for an address/, BOOT);
        const failed = first.console.waitFor(/trying again|FIRST BOOT FAILED/, BOOT).then(
          () => assert.fail(first.console.lastLines(5)),
          () => undefined,
        );
        await Promise.race([asked, failed]);
      });

      server.answers.set('/last', last);
      const second = await stage.start(disk, options);
      await withRunning(second, async () => {
        await second.console.waitFor(/an earlier first boot was cut short; beginning anew/, BOOT);
        await stage.inside(second, async (guest) => {
          assert.equal(await sourceOf(guest), `${server.guestUrl}/config`);
          assert.equal(await guest.run(['cat', '/etc/first']), 'first');
          await guest.runAsRoot(['mount', device, '/mnt']);
          assert.equal(await guest.runAsRoot(['cat', '/mnt/note', '/mnt/a/b/c/last']), `note${last}`);
          assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
          const journal = await guest.runAsRoot(['journalctl', '--boot', '--unit', 'caisson-ignition']);
          assert.match(journal, /removing \/srv\/data\/note/);
        });
      });
    });
  });

  it('says what is wrong: a circle, a hash, a server that is busy; and goes on when it is put right', async (t) => {
    const server = await startAnswers(t, {'/config': {redirect: '/config'}});
    await onStage(t, async (stage) => {
      const good = JSON.stringify(configWith(stage.key.publicKey));
      const machine = await stage.start(await newDisk(stage), {kernelArguments: urlArgument(server)});
      await withRunning(machine, async () => {
        const {console} = machine;
        await console.waitFor(/FIRST BOOT FAILED/, BOOT);
        await console.waitFor(/\/config leads in a circle/, BOOT);
        await console.waitFor(/restarting in 5 minutes/, BOOT);

        const merge = [{source: `${server.guestUrl}/other`, verification: {hash: sha256('another')}}];
        server.answers.set('/other', good);
        server.answers.set('/config', JSON.stringify({ignition: {version: '3.3.0', config: {merge}}}));
        await machine.reset();
        await console.waitFor(/hash verification failed \(calculated \w+ but expected \w+\)/, BOOT);
        await console.waitFor(/restarting in 5 minutes/, BOOT);

        server.answers.set('/config', {status: 503});
        // By itself, after the five minutes.
        await console.waitFor(/reboot: Restarting system/, BOOT);
        await console.waitFor(/GET result: Service Unavailable; trying again/, BOOT);
        server.answers.set('/config', good);
        await stage.inside(machine, async (guest) => {
          const journal = await guest.runAsRoot(['journalctl', '--boot', '--unit', 'caisson-ignition']);
          assert.match(journal, /an earlier try failed: .*hash verification failed/s);
          assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
        });
      });
    });
  });
});

describe('a first boot with a config', {skip}, () => {
  it('in a systemd credential', async (t) => {
    await onStage(t, async (stage) => {
      const credentials = {'caisson.ignition': JSON.stringify(configWith(stage.key.publicKey))};
      const machine = await stage.start(await newDisk(stage), {credentials});
      await withRunning(machine, () =>
        stage.inside(machine, async (guest) =>
          assert.equal(await sourceOf(guest), 'credential caisson.ignition'),
        ),
      );
    });
  });

  it('on the OEM partition', async (t) => {
    await onStage(t, async (stage) => {
      const [image, config] = [join(stage.folder, 'image.raw'), join(stage.folder, 'config.ign')];
      await writeFile(config, JSON.stringify(configWith(stage.key.publicKey)));
      await copyFile(releaseImage().path, image, constants.COPYFILE_FICLONE);
      await writeToOem(image, config);
      const disk = join(stage.folder, 'disk.qcow2');
      await createOverlay(disk, {path: image, format: 'raw'}, 8 * GIB);
      const machine = await stage.start(disk);
      await withRunning(machine, () =>
        stage.inside(machine, async (guest) =>
          assert.equal(await sourceOf(guest), 'config.ign of the OEM partition'),
        ),
      );
      assert.match(await readFile(stage.consoleLog, 'utf8'), /the host is configured/);
    });
  });
});

/** Puts a file into the file system in the partition OEM of a raw image. */
async function writeToOem(image: string, file: string): Promise<void> {
  const {stdout} = await exec(['sfdisk', '--json', image]);
  const {partitiontable} = JSON.parse(stdout) as {
    partitiontable: {sectorsize: number; partitions: {name: string; start: number}[]};
  };
  const oem = partitiontable.partitions.find(({name}) => name === 'OEM');
  assert.ok(oem);
  const offset = oem.start * partitiontable.sectorsize;
  await exec(['debugfs', '-w', '-R', `write ${file} config.ign`, `${image}?offset=${offset}`]);
}
