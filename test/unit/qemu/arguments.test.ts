import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {keyValues, qemuArguments} from '../../../qemu/arguments.ts';
import {QemuError} from '../../../qemu/errors.ts';
import type {MachineSpec} from '../../../qemu/machine-spec.ts';

const SPEC: MachineSpec = {
  name: 'one',
  accelerator: 'tcg',
  memoryMiB: 1024,
  cpus: 2,
  firmware: {code: '/fw/code.fd', vars: '/run/vars.fd'},
  disks: [],
  networks: [],
  serial: {kind: 'none'},
};

describe('qemuArguments', () => {
  it('gives a machine nothing that was not asked for', () => {
    const argv = qemuArguments(SPEC);
    assert.equal(argv[0], 'qemu-system-x86_64');
    for (const option of ['-nodefaults', '-no-user-config']) assert.ok(argv.includes(option), option);
    assert.deepEqual(valuesOf(argv, '-nic'), ['none']);
    assert.deepEqual(valuesOf(argv, '-serial'), ['none']);
    assert.deepEqual(valuesOf(argv, '-display'), ['none']);
    assert.deepEqual(valuesOf(argv, '-device'), ['virtio-rng-pci,rng=rng0']);
    for (const option of ['-S', '-incoming', '-no-reboot', '-smbios', '-kernel', '-mon', '-uuid']) {
      assert.ok(!argv.includes(option), option);
    }
  });

  it('chooses the processor by accelerator', () => {
    assert.deepEqual(valuesOf(qemuArguments({...SPEC, accelerator: 'kvm'}), '-cpu'), ['host']);
    assert.deepEqual(valuesOf(qemuArguments(SPEC), '-accel'), ['tcg,thread=multi']);
  });

  it('maps firmware code read-only and its variables writable', () => {
    const [code, vars] = valuesOf(qemuArguments(SPEC), '-blockdev');
    assert.equal(
      code,
      'driver=raw,node-name=firmware-code,read-only=on,file.driver=file,file.filename=/fw/code.fd',
    );
    assert.equal(vars, 'driver=raw,node-name=firmware-vars,file.driver=file,file.filename=/run/vars.fd');
  });

  it('attaches disks in order, with sector size, cache mode and serial number', () => {
    const argv = qemuArguments({
      ...SPEC,
      disks: [
        {path: '/a,b.qcow2', format: 'qcow2', cache: 'unsafe'},
        {path: '/c.raw', format: 'raw', readOnly: true, sectorBytes: 4096, serial: 'second'},
      ],
    });
    const [, , first, second] = valuesOf(argv, '-blockdev');
    assert.match(first ?? '', /^driver=qcow2,node-name=disk0,.*cache\.no-flush=on.*filename=\/a,,b\.qcow2/);
    assert.match(second ?? '', /^driver=raw,node-name=disk1,read-only=on,/);
    assert.doesNotMatch(second ?? '', /detect-zeroes|no-flush/);
    assert.deepEqual(valuesOf(argv, '-device').slice(0, 2), [
      'virtio-blk-pci,drive=disk0,id=virtio-disk0,bootindex=0',
      'virtio-blk-pci,drive=disk1,id=virtio-disk1,bootindex=1,logical_block_size=4096,physical_block_size=4096,serial=second',
    ]);
  });

  it('puts a disc into a drive that only reads', () => {
    const argv = qemuArguments({...SPEC, disks: [{path: '/a.iso', format: 'raw', isOptical: true}]});
    assert.match(valuesOf(argv, '-blockdev')[2] ?? '', /node-name=disk0,read-only=on/);
    assert.deepEqual(valuesOf(argv, '-device').slice(0, 1), [
      'ide-cd,drive=disk0,id=optical-disk0,bootindex=0',
    ]);
  });

  it('puts a network to boot from before the disks', () => {
    const argv = qemuArguments({
      ...SPEC,
      disks: [{path: '/a', format: 'raw'}],
      networks: [
        {kind: 'socket', path: '/run/switch', mac: '52:54:00:00:00:07'},
        {kind: 'user', boot: true, tftp: {folder: '/srv/pxe', bootFile: 'boot.efi'}},
      ],
    });
    assert.deepEqual(valuesOf(argv, '-netdev'), [
      'stream,id=net0,server=off,addr.type=unix,addr.path=/run/switch',
      'user,id=net1,tftp=/srv/pxe,bootfile=boot.efi',
    ]);
    const [disk, cable, pxe] = valuesOf(argv, '-device');
    assert.match(disk ?? '', /bootindex=2$/);
    assert.equal(cable, 'virtio-net-pci,netdev=net0,mac=52:54:00:00:00:07,romfile=');
    assert.equal(pxe, 'virtio-net-pci,netdev=net1,mac=52:54:00:ca:15:02,romfile=,bootindex=1');
  });

  it('leaves the card its option ROM, which is iPXE, where that is asked for', () => {
    const argv = qemuArguments({...SPEC, networks: [{kind: 'user', boot: true, ipxe: true}]});
    assert.deepEqual(valuesOf(argv, '-device').slice(0, 1), [
      'virtio-net-pci,netdev=net0,mac=52:54:00:ca:15:01,bootindex=0',
    ]);
  });

  it('forwards ports from the loopback address only', () => {
    const argv = qemuArguments({
      ...SPEC,
      networks: [
        {
          kind: 'user',
          isolated: true,
          hostname: 'n1',
          forwards: [
            {hostPort: 0, guestPort: 22},
            {hostPort: 8080, guestPort: 80},
          ],
        },
      ],
    });
    assert.deepEqual(valuesOf(argv, '-netdev'), [
      'user,id=net0,hostname=n1,restrict=on,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:8080-:80',
    ]);
  });

  it('offers each kind of serial line', () => {
    const chardev = (serial: MachineSpec['serial']) =>
      valuesOf(qemuArguments({...SPEC, serial}), '-chardev')[0];
    assert.equal(chardev({kind: 'stdio'}), 'stdio,id=serial0,signal=off');
    assert.equal(chardev({kind: 'terminal'}), 'stdio,id=serial0,signal=off,mux=on');
    assert.equal(chardev({kind: 'terminal', logFile: '/l'}), 'stdio,id=serial0,signal=off,mux=on,logfile=/l');
    assert.equal(chardev({kind: 'file', path: '/l'}), 'file,id=serial0,path=/l');
    assert.equal(chardev({kind: 'socket', path: '/s'}), 'socket,id=serial0,path=/s,server=on,wait=off');
    const terminal = qemuArguments({...SPEC, serial: {kind: 'terminal'}});
    assert.deepEqual(valuesOf(terminal, '-mon'), ['chardev=serial0']);
  });

  it('hands credentials and kernel arguments over as SMBIOS strings', () => {
    const argv = qemuArguments({
      ...SPEC,
      credentials: {'caisson.ssh-authorized-keys': 'ssh-ed25519 A', binary: new Uint8Array([0, 255])},
      kernelArguments: ['console=ttyS0,115200', 'quiet'],
    });
    assert.deepEqual(valuesOf(argv, '-smbios'), [
      'type=11,value=io.systemd.credential.binary:caisson.ssh-authorized-keys=c3NoLWVkMjU1MTkgQQ==',
      'type=11,value=io.systemd.credential.binary:binary=AP8=',
      'type=11,value=io.systemd.stub.kernel-cmdline-extra=console=ttyS0,,115200 quiet',
    ]);
  });

  it('appends kernel arguments itself when it boots a kernel directly', () => {
    const argv = qemuArguments({
      ...SPEC,
      directKernel: {kernel: '/k', initrd: '/i', commandLine: 'quiet'},
      kernelArguments: ['debug'],
    });
    assert.deepEqual(valuesOf(argv, '-append'), ['quiet debug']);
    assert.deepEqual(valuesOf(argv, '-initrd'), ['/i']);
    assert.deepEqual(valuesOf(argv, '-smbios'), []);
  });

  it('adds firmware configuration, watchdog and control socket', () => {
    const argv = qemuArguments({
      ...SPEC,
      firmwareConfig: {'opt/com.coreos/config': '/tmp/a.ign'},
      watchdog: true,
      noReboot: true,
      qmpSocket: '/run/qmp',
      incoming: true,
      paused: true,
    });
    assert.deepEqual(valuesOf(argv, '-fw_cfg'), ['name=opt/com.coreos/config,file=/tmp/a.ign']);
    assert.deepEqual(valuesOf(argv, '-action'), ['watchdog=reset']);
    assert.deepEqual(valuesOf(argv, '-chardev'), ['socket,id=qmp,path=/run/qmp,server=on,wait=off']);
    assert.deepEqual(valuesOf(argv, '-incoming'), ['defer']);
    assert.ok(argv.includes('-S') && argv.includes('-no-reboot'));
  });

  const refused: [string, Partial<MachineSpec>][] = [
    ['no processor', {cpus: 0}],
    ['half a processor', {cpus: 1.5}],
    ['no memory', {memoryMiB: 0}],
    ['a credential name with a slash', {credentials: {'a/b': ''}}],
    ['a credential beyond one argument', {credentials: {a: 'x'.repeat(96_001)}}],
  ];
  for (const [what, change] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => qemuArguments({...SPEC, ...change}),
        (error) => error instanceof QemuError && error.code === 'bad-spec',
      );
    });
  }
});

describe('keyValues', () => {
  it('doubles commas and leaves out what is undefined', () => {
    assert.equal(keyValues('a,b', {c: 'd,e', f: undefined, g: 1}), 'a,,b,c=d,,e,g=1');
    assert.equal(keyValues(undefined, {}), '');
  });
});

function valuesOf(argv: readonly string[], option: string): string[] {
  return argv.flatMap((word, index) => (word === option ? [argv[index + 1] ?? ''] : []));
}
