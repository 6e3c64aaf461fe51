/** Where things are on a first boot. The service sees ROOT as its root, with /usr, /etc, and /run and /dev of the initrd. */

export const IGNITION_PATHS = {
  commandLine: '/proc/cmdline',
  firmware: '/sys/firmware/qemu_fw_cfg/by_name',
  /** Imported by the service: the machine's own credentials are out of sight of services with a root of their own. */
  credential: '/run/credentials/caisson-ignition.service/caisson.ignition',
  /** The OEM partition is mounted there by usr/libexec/caisson/ignition. */
  oem: '/run/caisson/oem/config.ign',
  image: '/usr/lib/ignition/user.ign',
  imageBase: '/usr/lib/ignition/base.d',
  program: '/usr/lib/dracut/modules.d/30ignition/ignition',
  /** Before the PATH of Ignition; see label-nothing.ts. */
  programs: '/usr/libexec/caisson/ignition-programs',
  /** The root once more, because Ignition refuses to work on one that is called `/`. */
  target: '/run/caisson/root',
  /** What Ignition takes for the directory of the system's configs. */
  configs: '/run/caisson/ignition',
  /** Ignition's own names. */
  work: '/run/ignition',
  merged: '/run/ignition.json',
  needsNetwork: '/run/ignition/neednet',
  presets: '/etc/systemd/system-preset/20-ignition.preset',
  /** What was applied. */
  record: '/etc/caisson/ignition.json',
  /** A contract with the units in overlays/initrd: the first boot is not over, and it has begun to change things. */
  marker: '/.caisson-first-boot',
  begun: '/.caisson-first-boot/begun',
  /** Stays when ROOT is emptied; see leftovers.ts. */
  ours: '/.caisson-first-boot/ours.json',
  failure: '/.caisson-first-boot/failure',
  console: '/dev/console',
} as const;

/** Names in QEMU's firmware configuration device; the first is that of CoreOS. */
export const FIRMWARE_NAMES = ['opt/com.coreos/config', 'opt/org.caisson/ignition'] as const;

export const NETWORK_UNITS = [
  'caisson-first-boot-network.service',
  'caisson-first-boot-names.service',
] as const;
