import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {encodeGpt, newGptTable, setEntry} from '../../../../formats/gpt/table.ts';
import {GptError, PARTITION_TYPES, type SectorSize} from '../../../../formats/gpt/types.ts';
import {GIB, MIB} from '../../../../formats/units.ts';
import {readGpt} from '../../../../platform/gpt-disk.ts';
import {regionTarget, writeSparse} from '../../../../update-engine/installer/region.ts';
import {wipeDisk} from '../../../../update-engine/installer/wipe.ts';
import {SparseBase, installDiskOf} from '../../../support/install-disk.ts';
import {DiskImage, RecordingDisk} from '../../../support/recording-disk.ts';

const BYTES = 4 * GIB;
const ESP_AT = 8 * MIB;
const GUID = '0badc0de-0000-4000-8000-000000000001';

/** A disk with a table in sectors of this size, whose backup lies `short` of the end. */
function diskWith(sectorSize: SectorSize, short: number): RecordingDisk {
  const table = newGptTable({
    sectorSize,
    diskSectors: BigInt((BYTES - short) / sectorSize),
    diskGuid: GUID,
  });
  const encoded = encodeGpt(
    setEntry(table, 0, {
      ...{typeGuid: PARTITION_TYPES.esp, uniqueGuid: GUID, attributes: 0n, name: 'old'},
      firstLba: BigInt(ESP_AT / sectorSize),
      lastLba: BigInt((ESP_AT + MIB) / sectorSize) - 1n,
    }),
  );
  const {protectiveMbr, primaryHeader, primaryEntries, backupHeader, backupEntries} = encoded;
  const base = new SparseBase(BYTES, [
    ...[protectiveMbr, primaryHeader, primaryEntries, backupHeader, backupEntries],
    {offset: ESP_AT, bytes: Buffer.alloc(512, 0xeb)},
    {offset: ESP_AT + 512 * 1024, bytes: Buffer.alloc(512, 0xda)},
  ]);
  return new RecordingDisk(new DiskImage(base));
}

for (const [sectorSize, short] of [
  [512, 0],
  [4096, 0],
  [512, 512 * MIB],
  [4096, 512 * MIB],
] as const)
  describe(`wiping a table of ${sectorSize}-byte sectors whose backup lies ${short} bytes before the end`, () => {
    it('leaves no copy of it, and no EFI system partition', async () => {
      const recording = diskWith(sectorSize, short);
      await wipeDisk(await installDiskOf(recording));
      const readAt = (offset: number, length: number): Promise<Uint8Array> =>
        Promise.resolve(recording.image.read(offset, length));
      for (const size of [512, 4096] as const)
        for (const bytes of [BYTES, BYTES - short])
          await assert.rejects(
            readGpt({sectorSize: size, diskSectors: BigInt(bytes / size), readAt}),
            GptError,
          );
      assert.deepEqual(recording.image.read(ESP_AT, 512), new Uint8Array(512));
      // The rest of it is nobody's business.
      assert.equal(recording.image.read(ESP_AT + 512 * 1024, 1)[0], 0xda);
    });

    it('flushes between the tables and what they lead to', async () => {
      const recording = diskWith(sectorSize, short);
      await wipeDisk(await installDiskOf(recording));
      const kinds = recording.log.map((entry) =>
        entry.kind === 'write' ? (entry.offset === ESP_AT ? 'system' : 'table') : entry.kind,
      );
      const order = kinds.filter((kind, index) => kind !== kinds[index - 1]);
      assert.deepEqual(order, ['table', 'flush', 'system', 'flush']);
    });
  });

describe('a write with runs of zeros', () => {
  const data = Buffer.alloc(320 * 1024);
  data.fill(1, 0, 10);
  data.fill(2, 200_000, 200_010);

  async function calls(before: 'unknown' | 'is-blank'): Promise<string[]> {
    const log: string[] = [];
    const disk = {
      writeAt: (offset: number, bytes: Uint8Array) =>
        Promise.resolve(void log.push(`write ${offset} ${bytes.length}`)),
      zero: (offset: number, bytes: number) => Promise.resolve(void log.push(`zero ${offset} ${bytes}`)),
    };
    await writeSparse(disk, 1000, data, before);
    return log;
  }

  it('leaves them to the disk, and never out, unless it is known to be blank', async () => {
    const writes = ['write 1000 65536', 'write 197608 65536'];
    assert.deepEqual(await calls('is-blank'), writes);
    assert.deepEqual(await calls('unknown'), [
      ...['write 1000 65536', 'zero 66536 131072', 'write 197608 65536', 'zero 263144 65536'],
    ]);
  });

  it('does not leave its place', async () => {
    const target = regionTarget(await installDiskOf(diskWith(512, 0)), {offset: MIB, bytes: 4096});
    assert.throws(() => void target.writeAt(1, new Uint8Array(4096)), RangeError);
    assert.throws(() => void target.writeAt(-1, new Uint8Array(1)), RangeError);
    assert.equal((await target.readAt(4000, 500)).length, 96);
  });
});
