/** Units that CoreOS had, and what a host of this OS has in their place. */

/** The same program under an older name. */
const ALIASES: Readonly<Record<string, string>> = {
  'etcd2.service': 'etcd.service',
  'etcd3.service': 'etcd.service',
  'etcd-member.service': 'etcd.service',
  'sshd.service': 'ssh.service',
  'sshd.socket': 'ssh.socket',
  'ntpd.service': 'systemd-timesyncd.service',
};

const HINTS: Readonly<Record<string, string>> = {
  'locksmithd.service': 'the update engine does its work; see coreos.update.reboot_strategy',
  'update-engine-reboot-manager.service':
    'the update engine does its work; see coreos.update.reboot_strategy',
  'flanneld.service':
    'flannel is no part of this OS; run it in a container, its options are in /run/flannel/options.env',
  'fleet.service': 'fleet is no part of this OS; its units can be units of each host',
  'fleet.socket': 'fleet is no part of this OS',
  'rkt-metadata.service': 'rkt is no part of this OS; docker and containerd are',
};

export function currentUnitName(name: string): string {
  return (Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined) ?? name;
}

/** What to do about a unit that this OS does not have. */
export function missingUnitHint(name: string): string {
  return (
    (Object.hasOwn(HINTS, name) ? HINTS[name] : undefined) ??
    'give it content in the config, or write it to /etc/systemd/system'
  );
}
