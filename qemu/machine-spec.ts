/** What one virtual machine consists of, as data: everything that ends up in QEMU's arguments, and nothing else. */

export interface DiskSpec {
  path: string;
  format: 'raw' | 'qcow2';
  readOnly?: boolean;
  /** A disc in a SATA drive, which is only read. */
  isOptical?: boolean;
  /** Bytes of a sector as the guest sees it; default 512. */
  sectorBytes?: 512 | 4096;
  /**
   * `writeback` (default) passes the guest's flushes on to the storage of this host. `unsafe` leaves them in this
   * host's page cache: what the guest flushed survives the death of QEMU, but not that of the host.
   */
  cache?: 'writeback' | 'unsafe';
  /** What the guest reads as serial number (at most 20 bytes), for `/dev/disk/by-id`. */
  serial?: string;
}

export interface PortForward {
  /** On 127.0.0.1; 0 takes any free port, which `Machine.hostPort` then tells. */
  hostPort: number;
  guestPort: number;
}

interface NetworkBase {
  /** Six bytes in hex; default one derived from the position, so give it where machines meet on one network. */
  mac?: string;
  /** The firmware tries this network before any disk. */
  boot?: boolean;
  /** iPXE instead of the firmware's own client: QEMU has it as the card's option ROM. */
  ipxe?: boolean;
}

export type NetworkSpec =
  /** A private network behind QEMU itself: outgoing connections work, incoming ones by forwards only. */
  | (NetworkBase & {
      kind: 'user';
      forwards?: readonly PortForward[];
      /** Handed out by DHCP. */
      hostname?: string;
      /** No way out: the guest reaches only QEMU's own DHCP and TFTP, and forwarded connections. */
      isolated?: boolean;
      /** Folder served over TFTP and the file in it that DHCP names to PXE clients. */
      tftp?: {folder: string; bootFile: string};
    })
  /** A cable to the switch that listens on this Unix socket; frames come with a 32-bit length before each. */
  | (NetworkBase & {kind: 'socket'; path: string});

export type SerialSpec =
  /** On standard input and output of QEMU, for a program that reads it. */
  | {kind: 'stdio'}
  /** On the terminal, with QEMU's monitor behind Ctrl-A; copied to `logFile`. */
  | {kind: 'terminal'; logFile?: string}
  | {kind: 'file'; path: string}
  | {kind: 'socket'; path: string}
  | {kind: 'none'};

export interface DirectKernel {
  kernel: string;
  initrd?: string;
  commandLine: string;
}

export interface MachineSpec {
  name: string;
  accelerator: 'kvm' | 'tcg';
  memoryMiB: number;
  cpus: number;
  /** The firmware's code, shared and read-only, and this machine's own copy of its variables. */
  firmware: {code: string; vars: string};
  disks: readonly DiskSpec[];
  networks: readonly NetworkSpec[];
  serial: SerialSpec;
  /** systemd credentials by name; handed over as SMBIOS strings, so not secret from this host's other users. */
  credentials?: Readonly<Record<string, string | Uint8Array>>;
  /** Files that the guest finds under this name in QEMU's firmware configuration device. */
  firmwareConfig?: Readonly<Record<string, string>>;
  /** Words added to the kernel command line by systemd's stub (not with Secure Boot). */
  kernelArguments?: readonly string[];
  /** Boots this instead of what the disks hold. */
  directKernel?: DirectKernel;
  /** A watchdog device (i6300esb) that resets the machine. */
  watchdog?: boolean;
  /** QEMU ends when the guest reboots. */
  noReboot?: boolean;
  /** Where QEMU listens for control connections. */
  qmpSocket?: string;
  /** Starts with the guest's processors stopped. */
  paused?: boolean;
  /** Waits for a saved state to be sent over QMP instead of booting. */
  incoming?: boolean;
  uuid?: string;
}
