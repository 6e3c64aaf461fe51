/** A /proc, /sys and /dev as the kernel makes them, in a folder; the disks are image files. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join, relative} from 'node:path';
import {after, beforeEach, describe, it} from 'node:test';
import {readGpt} from '../../../../platform/gpt-disk.ts';
import {SlotError, type SlotErrorCode} from '../../../../update-engine/slots/errors.ts';
import {type HostRoots, findHostDisk} from '../../../../update-engine/slots/host-disk.ts';
import {writeSlotDisk} from '../../../support/slot-disk.ts';

const MIB = 1024 * 1024;
const folder = await mkdtemp(join(tmpdir(), 'host-disk-'));
after(() => rm(folder, {recursive: true}));

let roots: HostRoots;
let count = 0;

beforeEach(() => {
  count += 1;
  const root = join(folder, String(count));
  roots = {mountinfo: join(root, 'mountinfo'), sys: join(root, 'sys'), dev: join(root, 'dev')};
});

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), {recursive: true});
  await writeFile(path, `${text}\n`);
}

async function link(at: string, to: string): Promise<void> {
  await mkdir(dirname(at), {recursive: true});
  await symlink(relative(dirname(at), to), at);
}

interface FakeHost {
  /** Below /sys/devices. */
  disk: string;
  /** Of a partition, by its number. */
  partition: (number: number) => string;
  /** In /dev; the kernel's name with a slash where sysfs has an exclamation mark. */
  node?: (name: string) => string;
  /** On which /usr lies. */
  active?: number;
  mount?: string;
  slaves?: string[];
  startOfUsr?: number;
}

/** ESP, USR-A, USR-B and ROOT of 1 MiB and more. */
async function makeHost(host: FakeHost): Promise<void> {
  const {disk, partition, node = (name: string) => name, active = 2, startOfUsr = 2 * 2048} = host;
  const {sys, dev, mountinfo} = roots;
  const diskFolder = join(sys, 'devices', disk);
  const name = disk.split('/').at(-1) ?? '';
  await put(join(diskFolder, 'uevent'), `MAJOR=254\nMINOR=0\nDEVNAME=${node(name)}\nDEVTYPE=disk`);
  await put(join(diskFolder, 'queue/logical_block_size'), '512');
  for (const [number, start, sectors] of [
    [1, 2048, 2048],
    [2, startOfUsr, 2048],
    [3, 3 * 2048, 2048],
  ] as const) {
    const at = join(diskFolder, partition(number));
    await put(join(at, 'partition'), String(number));
    await put(join(at, 'start'), String(start));
    await put(join(at, 'size'), String(sectors));
    await put(join(at, 'uevent'), `DEVNAME=${node(partition(number))}\nDEVTYPE=partition\nPARTN=${number}`);
  }
  const mapped = join(sys, 'devices/virtual/block/dm-0');
  await put(join(mapped, 'dm/name'), 'usr');
  await put(join(mapped, 'uevent'), 'DEVNAME=dm-0');
  for (const slave of host.slaves ?? [partition(active)])
    await link(join(mapped, 'slaves', slave), join(diskFolder, slave));
  await mkdir(join(mapped, 'slaves'), {recursive: true});
  await link(join(sys, 'dev/block/253:0'), mapped);
  await link(join(sys, 'dev/block/254:2'), join(diskFolder, partition(2)));
  const line = host.mount ?? '23 22 253:0 / /usr ro,relatime shared:2 - erofs /dev/mapper/usr ro';
  await put(mountinfo, `22 1 254:5 / / rw - ext4 /dev/vda5 rw\n${line}`);
  await mkdir(dirname(join(dev, node(name))), {recursive: true});
  const slots = {A: [1, 0, true], B: [2, 1, false]} as const;
  await writeSlotDisk(join(dev, node(name)), {sectorSize: 512, diskBytes: 8 * MIB, slots});
  for (const number of [1, 2, 3]) await put(join(dev, node(partition(number))), `content of ${number}`);
}

const VIRTIO: FakeHost = {
  disk: 'pci0000:00/0000:00:03.0/virtio0/block/vda',
  partition: (number) => `vda${number}`,
};

async function rejects(code: SlotErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(findHostDisk(roots), (error: unknown) => {
    assert.ok(error instanceof SlotError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('findHostDisk', () => {
  const hosts: Record<string, FakeHost> = {
    virtio: VIRTIO,
    sata: {
      disk: 'pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda',
      partition: (number) => `sda${number}`,
    },
    nvme: {disk: 'pci0000:00/nvme/nvme0/nvme0n1', partition: (number) => `nvme0n1p${number}`},
    mmc: {disk: 'platform/mmc_host/mmc0/mmc0:0001/block/mmcblk0', partition: (number) => `mmcblk0p${number}`},
    'a controller with a folder in /dev': {
      disk: 'pci0000:00/cciss0/c0d0/block/cciss!c0d0',
      partition: (number) => `cciss!c0d0p${number}`,
      node: (name) => name.replace('!', '/'),
    },
  };
  for (const [what, host] of Object.entries(hosts)) {
    for (const active of [2, 3]) {
      it(`finds disk and slots of ${what}, running from partition ${active}`, async () => {
        await makeHost({...host, active});
        const disk = await findHostDisk(roots);
        const {node = (name: string) => name} = host;
        assert.equal(disk.path, join(roots.dev, node(host.disk.split('/').at(-1) ?? '')));
        assert.deepEqual([disk.active, disk.idle], active === 2 ? ['A', 'B'] : ['B', 'A']);
        const {agree} = await disk.useTable('read', readGpt);
        assert.ok(agree);
        for (const [which, number] of [
          ['esp', 1],
          ['A', 2],
          ['B', 3],
        ] as const) {
          const text = await disk.usePartition(which, 'read', async (target) => {
            assert.equal(target.bytes, MIB);
            return Buffer.from(await target.readAt(0, 12)).toString();
          });
          assert.equal(text, `content of ${number}`);
        }
      });
    }
  }

  it('takes the last mount on /usr', async () => {
    const first = '23 22 7:0 / /usr ro - squashfs /dev/loop0 ro\n';
    await makeHost({...VIRTIO, mount: `${first}24 23 253:0 / /usr ro - erofs /dev/mapper/usr ro`});
    assert.equal((await findHostDisk(roots)).active, 'A');
  });

  const elsewhere: [string, Partial<FakeHost>, RegExp][] = [
    ['in a container', {mount: '23 22 0:40 / /var rw - tmpfs tmpfs rw'}, /\/usr is not a mount of its own/],
    [
      'started over the network',
      {mount: '23 22 0:41 / /usr ro - erofs usr.img ro'},
      /\/usr is erofs from usr\.img, which is no block device/,
    ],
    [
      'without verity',
      {mount: '23 22 254:2 / /usr ro - erofs /dev/vda2 ro'},
      /mounted from vda2, which is not a verity device/,
    ],
    ['with data and hashes apart', {slaves: ['vda2', 'vda3']}, /mapped onto 2 devices \(vda2, vda3\)/],
    ['on a partition that is no slot', {active: 1}, /partition 1 of .*, which is not labelled as a slot/],
  ];
  for (const [what, changes, pattern] of elsewhere) {
    it(`gives the reason when this host is ${what}`, async () => {
      await makeHost({...VIRTIO, ...changes});
      await rejects('no-slot', pattern);
    });
  }

  it('uses no device whose place is not that of the table', async () => {
    await makeHost({...VIRTIO, active: 3, startOfUsr: 9999});
    const disk = await findHostDisk(roots);
    await assert.rejects(
      disk.usePartition('A', 'write', () => Promise.resolve()),
      /the kernel has partition 2 of .* at byte 5119488 with 1048576 bytes, the table at 2097152/,
    );
  });
});
