/** Machines without a disk of the release, started over the network. */
import type {TestContext} from 'node:test';
import {fileOfRole} from '../../../formats/release.ts';
import {type MachineOptions, startMachine} from '../../../qemu/machine.ts';
import {type NetBoot, offerNetBoot} from '../../../qemu/net-boot.ts';
import {SshClient, createSshKey} from '../../../qemu/ssh.ts';

import {Guest} from './guest.ts';
import {readRelease} from './releases.ts';
import {BOOT_DEADLINE_MS, keepingJournal, withRunning, withTestFolder} from './with-machine.ts';

export interface LiveOptions extends Partial<Omit<MachineOptions, 'networks' | 'varsFile' | 'signal'>> {
  /** Folder of the release. */
  release: string;
  kind?: 'ipxe' | 'http';
}

/** Waits until the machine can be logged in to, runs the test's body, and ends the machine whatever happened. */
export async function withLiveMachine(
  t: TestContext,
  options: LiveOptions,
  use: (guest: Guest, netBoot: NetBoot) => Promise<void>,
): Promise<void> {
  const {release: directory, kind = 'ipxe', ...machine} = options;
  await withTestFolder(t, async (folder, consoleLog) => {
    const key = await createSshKey(folder);
    const release = await readRelease(directory);
    const netBoot = await offerNetBoot({
      kind,
      release: directory,
      file: fileOfRole(release, kind === 'ipxe' ? 'live-script' : 'live-uki'),
      kernelArguments: options.kernelArguments ?? [],
      folder,
      forwards: [{hostPort: 0, guestPort: 22}],
    });
    try {
      const running = await startMachine({
        disks: [],
        ...machine,
        name: 'live',
        networks: [netBoot.network],
        ...(netBoot.varsFile === undefined ? {} : {varsFile: netBoot.varsFile}),
        kernelArguments: kind === 'ipxe' ? [] : (options.kernelArguments ?? []),
        credentials: {'caisson.ssh-authorized-keys': `${key.publicKey}\n`, ...machine.credentials},
        consoleLog,
        signal: t.signal,
      });
      await withRunning(running, async () => {
        // Each boot from memory has an ssh host key of its own.
        const {target} = running.ssh('core', key.identityFile);
        const guest = new Guest(running, new SshClient({...target, knownHostsFile: '/dev/null'}));
        await guest.ssh.waitUntilUp({deadlineMs: BOOT_DEADLINE_MS, signal: t.signal});
        await keepingJournal(guest, consoleLog, () => use(guest, netBoot));
      });
    } finally {
      await netBoot.close();
    }
  });
}
