/** Disks with something in the second slot, made with the functions that the update engine uses on a host. */
import {randomUUID} from 'node:crypto';
import {join} from 'node:path';
import {findSlot, setSlotBits, type SlotBits, type SlotLetter} from '../../../formats/gpt/slots.ts';
import {fileOfRole} from '../../../formats/release.ts';
import {copySparse, withByteSource} from '../../../platform/files.ts';
import {readGpt, updateGpt, withGptDisk} from '../../../platform/gpt-disk.ts';
import {installRelease} from '../../../update-engine/slots/install.ts';
import {imageSlotDisk} from '../../../update-engine/slots/slot-disk.ts';
import {readRelease} from './releases.ts';

const CHUNK_BYTES = 4 << 20;

/** Copies a release's disk and installs another release into slot B, which is then the next to start, on trial. */
export async function writeTwoSlotDisk(
  path: string,
  first: string,
  second: string,
  signal: AbortSignal,
): Promise<void> {
  await copySparse(join(first, fileOfRole(await readRelease(first), 'disk')), path);
  await installInto(path, 'B', second, signal);
}

export async function installInto(
  path: string,
  letter: SlotLetter,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const release = await readRelease(folder);
  const digest = (name: string): Buffer => Buffer.from(release.files[name]?.sha256 ?? '', 'hex');
  const [usrName, ukiName] = [fileOfRole(release, 'usr'), fileOfRole(release, 'uki')];
  await withByteSource(join(folder, ukiName), async (uki) => {
    await installRelease({
      disk: imageSlotDisk(path),
      letter,
      randomGuid: randomUUID,
      now: release.sourceDate * 1000,
      signal,
      fill: async (target) => {
        await withByteSource(join(folder, usrName), async (usr) => {
          for (let at = 0; at < usr.bytes; at += CHUNK_BYTES)
            await target.writeAt(at, await usr.readAt(at, Math.min(CHUNK_BYTES, usr.bytes - at)));
        });
        const {id, version, architecture} = release;
        return {
          usr: {bytes: release.files[usrName]?.bytes ?? 0, sha256: digest(usrName)},
          uki: {source: uki, sha256: digest(ukiName)},
          product: {id, version, architecture},
        };
      },
    });
  });
}

/** The bits of a slot as they are on the disk of a machine that is off. */
export async function bitsOnDisk(path: string, letter: SlotLetter): Promise<SlotBits> {
  const {table} = await withGptDisk(path, {}, readGpt);
  const {priority, tries, successful} = findSlot(table, letter);
  return {priority, tries, successful};
}

export async function setBitsOnDisk(path: string, letter: SlotLetter, bits: SlotBits): Promise<void> {
  await withGptDisk(path, {write: true}, (disk) =>
    updateGpt(disk, (table) => setSlotBits(table, letter, bits)),
  );
}
