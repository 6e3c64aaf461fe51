/** Saving and restoring a machine without an operating system (packages qemu-system-x86, qemu-utils, ovmf). */
import assert from 'node:assert/strict';
import {mkdtemp, rm, truncate} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {pathExists, sha256File} from '../../platform/files.ts';
import {createEmptyDisk, createOverlay} from '../../qemu/disk.ts';
import {QemuError} from '../../qemu/errors.ts';
import {type Machine, type MachineOptions, startMachine} from '../../qemu/machine.ts';
import {loadState} from '../../qemu/migration.ts';
import {isSavedMachine, restoreMachine, saveMachine} from '../../qemu/snapshot.ts';
import {skipWithout} from '../support/tool.ts';

const SOON = {deadlineMs: 300_000};
const MEMORY_MIB = 128;

const skip =
  (await skipWithout(['qemu-system-x86_64'], 'qemu-system-x86')) ||
  (await skipWithout(['qemu-img'], 'qemu-utils'));

describe('a saved machine', {skip}, () => {
  let folder: string;
  let saved: string;
  let memoryHash: string;

  function optionsFor(disk: string): MachineOptions {
    return {
      name: 'saved',
      memoryMiB: MEMORY_MIB,
      cpus: 2,
      disks: [{path: join(folder, disk), format: 'qcow2', cache: 'unsafe'}],
      networks: [{kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]}],
    };
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qemu-test-'));
    saved = join(folder, 'saved');
    const base = join(folder, 'base.raw');
    await createEmptyDisk(base, 'raw', 1024 * 1024);
    await createOverlay(join(folder, 'first.qcow2'), {path: base, format: 'raw'}, 4 * 1024 * 1024);
    await exec(['qemu-io', '-f', 'qcow2', '-c', 'write -P 0xab 2M 64k', join(folder, 'first.qcow2')]);
    const machine = await startMachine(optionsFor('first.qcow2'));
    try {
      await machine.console.waitFor(/BdsDxe: .*/, SOON);
      await machine.qmp.execute('stop');
      memoryHash = await hashMemory(machine, join(folder, 'memory'));
      await saveMachine(machine, saved, SOON);
    } finally {
      await machine.kill();
    }
  });
  after(() => rm(folder, {recursive: true}));

  it('is a folder with the disk moved to it', async () => {
    assert.equal(await isSavedMachine(saved), true);
    assert.equal(await pathExists(join(folder, 'first.qcow2')), false);
    assert.equal(await isSavedMachine(folder), false);
  });

  it('comes back with the memory it had', async () => {
    const disk = join(folder, 'paused.qcow2');
    await createOverlay(disk, {path: join(saved, 'disk0.qcow2'), format: 'qcow2'});
    const machine = await startMachine({...optionsFor('paused.qcow2'), incoming: true});
    try {
      await loadState(machine, join(saved, 'state'), SOON);
      assert.equal(await hashMemory(machine, join(folder, 'memory')), memoryHash);
    } finally {
      await machine.kill();
    }
  });

  it('comes back more than once at a time, each on its own port and disk', async () => {
    const names = ['a.qcow2', 'b.qcow2'];
    const machines = await Promise.all(names.map((name) => restoreMachine(saved, optionsFor(name), SOON)));
    try {
      const [first, second] = machines.map((machine) => machine.hostPort(22));
      assert.notEqual(first, second);
      for (const machine of machines) {
        const status = await machine.qmp.execute('query-status');
        assert.equal((status as {status: string}).status, 'running');
        await machine.reset();
        await machine.console.waitFor(/BdsDxe: .*/, SOON);
      }
    } finally {
      for (const machine of machines) await machine.kill();
    }
    for (const name of names) {
      await exec(['qemu-io', '-f', 'qcow2', '-c', 'read -P 0xab 2M 64k', join(folder, name)]);
    }
  });

  it('is not restored into another machine', async () => {
    const other = {...optionsFor('other.qcow2'), cpus: 1};
    await assert.rejects(restoreMachine(saved, other, SOON), isBadSnapshot);
    await assert.rejects(restoreMachine(folder, optionsFor('none.qcow2'), SOON), isBadSnapshot);
    const raw = {...other, disks: [{path: join(folder, 'base.raw'), format: 'raw'}]} satisfies MachineOptions;
    await assert.rejects(restoreMachine(saved, raw, SOON), isBadSnapshot);
  });

  it('is refused when its state is cut off', async () => {
    const cut = join(folder, 'cut');
    await exec(['cp', '-a', saved, cut]);
    await truncate(join(cut, 'state'), 1_000_000);
    await assert.rejects(restoreMachine(cut, optionsFor('cut.qcow2'), SOON), isBadSnapshot);
  });
});

async function hashMemory(machine: Machine, file: string): Promise<string> {
  await machine.qmp.execute('pmemsave', {val: 0, size: MEMORY_MIB * 1024 * 1024, filename: file});
  const hash = await sha256File(file);
  await rm(file);
  return hash;
}

function isBadSnapshot(error: unknown): boolean {
  return error instanceof QemuError && error.code === 'bad-snapshot';
}
