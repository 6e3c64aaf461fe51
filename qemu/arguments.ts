/**
 * From a machine's description to QEMU's arguments: pure, so that every option is tested with literals.
 *
 * Why not libvirt: it wants a daemon and its own names for everything; a test wants a process that dies with it.
 */
import {QemuError} from './errors.ts';
import type {DiskSpec, MachineSpec, NetworkSpec, SerialSpec} from './machine-spec.ts';

export const QEMU_BINARY = 'qemu-system-x86_64';

/** Linux limits one argument to 128 KiB (MAX_ARG_STRLEN); base64 takes 4 bytes for 3, and the rest holds the name. */
const CREDENTIAL_MAX_BYTES = 96_000;

/**
 * The i6300esb card, and the watchdog that q35's own chipset has (iTCO), which is wired off by default: guests load
 * drivers for both, and whichever becomes /dev/watchdog0 must work.
 */
const WATCHDOG: readonly string[] = [
  ...['-device', 'i6300esb', '-global', 'ICH9-LPC.noreboot=false'],
  ...['-action', 'watchdog=reset'],
];

export function qemuArguments(spec: MachineSpec): [string, ...string[]] {
  checkSpec(spec);
  return [
    QEMU_BINARY,
    ...['-nodefaults', '-no-user-config'],
    ...['-name', keyValues(spec.name, {})],
    ...(spec.uuid === undefined ? [] : ['-uuid', spec.uuid]),
    ...['-machine', keyValues('q35', {pflash0: 'firmware-code', pflash1: 'firmware-vars', hpet: 'off'})],
    ...acceleratorArguments(spec.accelerator),
    ...['-m', `${spec.memoryMiB}M`, '-smp', String(spec.cpus)],
    ...['-display', 'none'],
    // The guest's hardware clock goes on while the guest is stopped or saved, and so is right after a restore.
    ...['-rtc', 'base=utc,clock=host'],
    ...firmwareArguments(spec.firmware),
    ...spec.disks.flatMap((disk, index) => diskArguments(disk, index, spec.networks.length)),
    ...(spec.networks.length === 0 ? ['-nic', 'none'] : spec.networks.flatMap(networkArguments)),
    ...serialArguments(spec.serial),
    ...['-object', 'rng-builtin,id=rng0', '-device', 'virtio-rng-pci,rng=rng0'],
    ...(spec.watchdog === true ? WATCHDOG : []),
    ...(spec.noReboot === true ? ['-no-reboot'] : []),
    ...Object.entries(spec.credentials ?? {}).flatMap(([name, value]) => credentialArguments(name, value)),
    ...kernelArguments(spec),
    ...Object.entries(spec.firmwareConfig ?? {}).flatMap(([name, file]) => [
      '-fw_cfg',
      keyValues(undefined, {name, file}),
    ]),
    ...(spec.qmpSocket === undefined
      ? []
      : [
          '-chardev',
          keyValues('socket', {id: 'qmp', path: spec.qmpSocket, server: 'on', wait: 'off'}),
          '-mon',
          'chardev=qmp,mode=control',
        ]),
    ...(spec.paused === true ? ['-S'] : []),
    ...(spec.incoming === true ? ['-incoming', 'defer'] : []),
  ];
}

/**
 * The accelerator and the processor model that goes with it; also what the KVM probe runs with.
 *
 * Emulation was measured with QEMU 7.2 on 2 cores, Debian 13 (systemd, sshd, containerd, docker, etcd) from power on to
 * the login prompt, seconds of wall clock / of processor time, the best of 2 to 6 boots on a host that others used
 * too (so that differences below 2 s mean nothing):
 *
 *     thread=multi, 2 processors, max          37 / 48     1 processor    47 / 47     4 processors   35 / 57
 *     thread=single                            45 / 44
 *     max without 5-level paging (la57)        30 / 43     and without HPET   30 / 45
 *     and without SMAP, SMEP, PKU, UMIP, AVX   28 / 44     qemu64         31 / 44     Nehalem        37 / 50
 *     translation buffer 256 MiB               34 / 48     1 GiB (as by default)      29 / 45
 *     disk with an I/O thread                  27 / 43     cache=unsafe   28 / 44
 *
 * So: many threads, two processors, and five levels of page tables off, which emulation walks in software. Taking
 * away more would test a processor that nobody has, for nothing. Firmware takes 3 s of the processor (2.7 s in its
 * 2 MiB build) whatever it is given: memory size, SMM, network cards, boot order and machine type change nothing.
 */
export function acceleratorArguments(accelerator: 'kvm' | 'tcg'): string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  return ['-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off'];
}

/** `head,key=value,...` with commas inside values doubled, as QEMU's option parser wants them. */
export function keyValues(
  head: string | undefined,
  values: Readonly<Record<string, string | number | undefined>>,
): string {
  const pairs = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${escapeCommas(String(value))}`);
  return [...(head === undefined ? [] : [escapeCommas(head)]), ...pairs].join(',');
}

function escapeCommas(text: string): string {
  return text.replaceAll(',', ',,');
}

function checkSpec(spec: MachineSpec): void {
  for (const [name, value] of Object.entries({cpus: spec.cpus, memoryMiB: spec.memoryMiB})) {
    if (!Number.isInteger(value) || value < 1) {
      throw new QemuError(
        'bad-spec',
        `${name} of machine ${spec.name} must be a positive integer, got ${value}`,
      );
    }
  }
  for (const name of Object.keys(spec.credentials ?? {})) {
    // The rule of systemd.exec(5) for credential names: a file name.
    if (!/^[\w.-]{1,255}$/.test(name)) {
      throw new QemuError('bad-spec', `bad credential name ${JSON.stringify(name)}`);
    }
  }
}

function firmwareArguments(firmware: MachineSpec['firmware']): string[] {
  return [
    '-blockdev',
    keyValues(undefined, {
      driver: 'raw',
      'node-name': 'firmware-code',
      'read-only': 'on',
      'file.driver': 'file',
      'file.filename': firmware.code,
    }),
    '-blockdev',
    keyValues(undefined, {
      driver: 'raw',
      'node-name': 'firmware-vars',
      'file.driver': 'file',
      'file.filename': firmware.vars,
    }),
  ];
}

function diskArguments(disk: DiskSpec, index: number, networkCount: number): string[] {
  const node = `disk${index}`;
  const isReadOnly = disk.readOnly === true || disk.isOptical === true;
  // With any boot index given the firmware tries only devices that have one: no network boot by surprise.
  const bootindex = networkCount + index;
  return [
    '-blockdev',
    keyValues(undefined, {
      driver: disk.format,
      'node-name': node,
      'read-only': isReadOnly ? 'on' : undefined,
      // What the guest trims becomes a hole in the file, and so do zeroes: overlays stay small.
      discard: 'unmap',
      'detect-zeroes': isReadOnly ? undefined : 'unmap',
      'cache.no-flush': disk.cache === 'unsafe' ? 'on' : undefined,
      'file.driver': 'file',
      'file.filename': disk.path,
      'file.discard': 'unmap',
      'file.cache.no-flush': disk.cache === 'unsafe' ? 'on' : undefined,
    }),
    '-device',
    disk.isOptical === true
      ? keyValues('ide-cd', {drive: node, id: `optical-${node}`, bootindex})
      : keyValues('virtio-blk-pci', {
          drive: node,
          id: `virtio-${node}`,
          bootindex,
          logical_block_size: disk.sectorBytes,
          physical_block_size: disk.sectorBytes,
          serial: disk.serial,
        }),
  ];
}

function networkArguments(network: NetworkSpec, index: number): string[] {
  const id = `net${index}`;
  return [
    '-netdev',
    netdev(network, id),
    '-device',
    keyValues('virtio-net-pci', {
      netdev: id,
      // The range that QEMU uses itself (52:54:00).
      mac: network.mac ?? `52:54:00:ca:15:${(index + 1).toString(16).padStart(2, '0')}`,
      // OVMF has its own virtio-net driver and PXE client; QEMU's option ROM, which is iPXE, only costs time.
      romfile: network.ipxe === true ? undefined : '',
      bootindex: network.boot === true ? index : undefined,
    }),
  ];
}

function netdev(network: NetworkSpec, id: string): string {
  switch (network.kind) {
    case 'user':
      return [
        keyValues('user', {
          id,
          hostname: network.hostname,
          restrict: network.isolated === true ? 'on' : undefined,
          tftp: network.tftp?.folder,
          bootfile: network.tftp?.bootFile,
        }),
        ...(network.forwards ?? []).map(
          ({hostPort, guestPort}) => `hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`,
        ),
      ].join(',');
    case 'socket':
      return keyValues('stream', {id, server: 'off', 'addr.type': 'unix', 'addr.path': network.path});
  }
}

function serialArguments(serial: SerialSpec): string[] {
  const chardev = serialChardev(serial);
  if (chardev === undefined) return ['-serial', 'none'];
  return [
    '-chardev',
    chardev,
    '-serial',
    'chardev:serial0',
    ...(serial.kind === 'terminal' ? ['-mon', 'chardev=serial0'] : []),
  ];
}

function serialChardev(serial: SerialSpec): string | undefined {
  switch (serial.kind) {
    case 'stdio':
      return keyValues('stdio', {id: 'serial0', signal: 'off'});
    case 'terminal':
      return keyValues('stdio', {id: 'serial0', signal: 'off', mux: 'on', logfile: serial.logFile});
    case 'file':
      return keyValues('file', {id: 'serial0', path: serial.path});
    case 'socket':
      return keyValues('socket', {id: 'serial0', path: serial.path, server: 'on', wait: 'off'});
    case 'none':
      return undefined;
  }
}

function credentialArguments(name: string, value: string | Uint8Array): string[] {
  const bytes = Buffer.from(value);
  if (bytes.length > CREDENTIAL_MAX_BYTES) {
    throw new QemuError(
      'bad-spec',
      `credential ${name} has ${bytes.length} bytes, at most ${CREDENTIAL_MAX_BYTES} can be passed`,
      {hint: 'put it on a disk, or pass it as a firmware configuration file'},
    );
  }
  const text = `io.systemd.credential.binary:${name}=${bytes.toString('base64')}`;
  return ['-smbios', keyValues(undefined, {type: 11, value: text})];
}

function kernelArguments(spec: MachineSpec): string[] {
  const extra = spec.kernelArguments ?? [];
  const kernel = spec.directKernel;
  if (kernel !== undefined) {
    const commandLine = [kernel.commandLine, ...extra].join(' ');
    return [
      ...['-kernel', kernel.kernel],
      ...(kernel.initrd === undefined ? [] : ['-initrd', kernel.initrd]),
      ...['-append', commandLine],
    ];
  }
  if (extra.length === 0) return [];
  return [
    '-smbios',
    keyValues(undefined, {type: 11, value: `io.systemd.stub.kernel-cmdline-extra=${extra.join(' ')}`}),
  ];
}
