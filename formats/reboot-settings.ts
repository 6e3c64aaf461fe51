/** What an operator sets about reboots, in update.conf. */

/** How the reboot lock is reached in etcd. */
export interface EtcdSettings {
  /** Base addresses such as `https://10.0.0.1:2379`; the first that answers is used. */
  readonly endpoints: readonly string[];
  /** Paths of PEM files. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly username: string | null;
  readonly password: string | null;
  /** Of hosts that count together; empty for the lineage's one group without a name. */
  readonly group: string;
}
