/**
 * What an operator sets about reboots, in update.conf: windows, the reboot lock, sessions and hooks.
 *
 * A setting that makes no sense stays in the result as what it is, instead of being replaced by a default: the gate
 * that it is for is then closed. A typing error in a window must not mean "at any time".
 */
import type {RebootWindow} from './reboot-window/window.ts';
import type {Reading} from './update-conf-values.ts';

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

/** How the reboot lock is reached by the protocol of Zincati. */
export interface FleetLockSettings {
  /** Base address, without a slash at its end. */
  readonly url: string;
  readonly group: string;
}

/** Each part is a value, or what is wrong with it as a whole sentence with its key. */
export interface RebootSettings {
  /** Open if one of them is; none at all is open always. */
  readonly windows: Reading<readonly RebootWindow[]>;
  /** How long sessions may hold a reboot up after their first warning; `forever`: as long as they last. */
  readonly sessionWaitMs: Reading<number | 'forever'>;
  /** Of each hook. */
  readonly hookTimeoutMs: Reading<number>;
  readonly etcd: Reading<EtcdSettings>;
  /** Null when no server is named. */
  readonly fleetLock: Reading<FleetLockSettings | null>;
}
