/** One small release to install, with everything that a real one has, and the installation of it on a disk in memory. */
import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type ByteSource, sourceOf} from '../../formats/byte-source.ts';
import {PARTITIONS} from '../../formats/disk-layout.ts';
import {kernelCommandLine} from '../../image/command-line.ts';
import type {CheckedSlot} from '../../update-engine/slots/check-slot.ts';
import {type InstallerStep, installDisk} from '../../update-engine/installer/install.ts';
import {type InstallPlan, planInstall} from '../../update-engine/installer/plan.ts';
import {DISK_BYTES, installDiskOf} from './install-disk.ts';
import {type RecordingDisk, SECTOR} from './recording-disk.ts';
import {writeUsr} from './small-disk.ts';
import {peFile, ukiFile} from './uki-file.ts';

export const NEW_DISK_GUID = '11111111-2222-4333-8444-555555555555';

export interface SmallInstall {
  plan: InstallPlan;
  run(
    disk: RecordingDisk,
    options?: {signal?: AbortSignal; onStep?: (step: InstallerStep) => void},
  ): Promise<CheckedSlot>;
}

export async function smallInstall(): Promise<SmallInstall> {
  const folder = await mkdtemp(join(tmpdir(), 'install-world-'));
  try {
    const path = join(folder, 'usr.img');
    const facts = await writeUsr(path, 40);
    const usr = await readFile(path);
    const uki = padded(ukiFile({commandLine: kernelCommandLine(['quiet'], facts)}));
    return world(usr, uki, peFile([['.text', 'selector']]));
  } finally {
    await rm(folder, {recursive: true});
  }
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4096 - (bytes.length % 4096)) % 4096)]);
}

function world(usr: Buffer, uki: Buffer, selector: Buffer): SmallInstall {
  const plan = planInstall(
    {path: 'a disk in memory', bytes: DISK_BYTES, sectorSize: SECTOR},
    {usr: usr.length, uki: uki.length, selector: selector.length},
    {
      disk: NEW_DISK_GUID,
      partition: (label) => guidOf(label),
      espVolume: 0x1234_5678,
    },
    Date.UTC(2026, 10, 21),
  );
  const oem = oemSource();
  const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  return {
    plan,
    run: async (recording, {signal = new AbortController().signal, onStep} = {}) =>
      installDisk({
        ...{disk: await installDiskOf(recording), plan, selector, oem, signal},
        onStep(step) {
          recording.step = step;
          onStep?.(step);
        },
        async fill({usr: usrTarget, kernel}) {
          for (let at = 0; at < usr.length; at += 65_536) {
            await usrTarget.writeAt(at, usr.subarray(at, at + 65_536));
            signal.throwIfAborted();
          }
          await kernel.writeAt(0, uki);
          return {
            usr: {bytes: usr.length, sha256: hash(usr)},
            uki: {bytes: uki.length, sha256: hash(uki)},
            product: {id: 'caisson', architecture: 'x86-64', version: '1.2.3'},
          };
        },
      }),
  };
}

/** Two islands in zeros, as ext4 is. */
function oemSource(): ByteSource {
  const island = randomBytes(8192);
  const {bytes} = PARTITIONS.oem;
  return {
    bytes,
    readAt(offset, length) {
      const wanted = Math.max(0, Math.min(length, bytes - offset));
      const content = Buffer.alloc(wanted);
      for (const at of [1024, 40 << 20])
        if (at >= offset && at + island.length <= offset + wanted) content.set(island, at - offset);
      return sourceOf(content).readAt(0, wanted);
    },
  };
}

function guidOf(label: string): string {
  const hex = createHash('sha256').update(label).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
