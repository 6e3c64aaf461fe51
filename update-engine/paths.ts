/** Where things lie on a host. A contract between the programs of this folder, the units in overlays/ and the docs. */

export const HOST_PATHS = {
  /** What survives a reboot; `StateDirectory=` of the units. */
  state: '/var/lib/caisson/update',
  /** Anyone may ask here; answers only. */
  statusSocket: '/run/caisson/status.sock',
  /** Changes things; root's alone. */
  controlSocket: '/run/caisson/control.sock',
  metrics: '/run/caisson/metrics/caisson.prom',
  /** There while a reboot is needed; /run/reboot-required leads here. */
  rebootMarker: '/run/caisson/reboot-required',
  vendorConfig: '/usr/share/caisson/update.conf',
  /** Of the machine: what it was installed from, or what its platform says. */
  oemConfig: '/oem/update.conf',
  config: '/etc/caisson/update.conf',
  /** Public keys, one a file, PEM. Part of the verity-protected /usr, and of nothing else. */
  keys: '/usr/share/caisson/update-keys',
  /** Public keys of those who sign channels; not there in a release that trusts none. */
  channelKeys: '/usr/share/caisson/channel-keys',
  osRelease: '/usr/lib/os-release',
  healthChecks: '/etc/caisson/health.d',
  oemRelease: '/oem/oem-release',
  machineId: '/etc/machine-id',
  bootId: '/proc/sys/kernel/random/boot_id',
} as const;
/** The same places elsewhere, for tests. */
export type HostPaths = Readonly<Record<keyof typeof HOST_PATHS, string>>;

/** There on a host that runs from its boot image, from its initrd on; see overlays/live. */
export const LIVE_MARKER = '/run/caisson/live';

/** One of them is there once the health check of this boot has looked at the slot; units and roll-back ask for them. */
export const SLOT_MARKERS = {
  'on-trial': '/run/caisson/slot-on-trial',
  good: '/run/caisson/slot-good',
  'last-resort': '/run/caisson/slot-last-resort',
} as const;

/** Files below `HOST_PATHS.state`. */
export const STATE_FILES = {
  /** The update that waits for a reboot, or is on trial now. Units look for it: see overlays/os. */
  pending: 'pending.json',
  denied: 'denied.json',
  /** What the host holds for the sake of a reboot. */
  reboot: 'reboot.json',
  /** How far the payload in the idle slot has come. */
  progress: 'progress.json',
  /** The UKI while it is being downloaded. */
  stagedUki: 'uki.part',
  /** The last run of the health checks. */
  health: 'health.json',
  /** What the last check and the last update came to. */
  history: 'history.json',
  /** What the addresses of the offered payload were worth. */
  payload: 'payload.json',
  /** The signed channels as they were seen last. */
  channel: 'channel.json',
  /** Events that the server has not heard of yet. */
  events: 'events.json',
} as const;
