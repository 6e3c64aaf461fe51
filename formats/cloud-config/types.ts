/** What a cloud-config says, as values that have been checked. Null and empty lists stand for what it does not say. */

export interface CloudConfig {
  readonly hostname: string | null;
  /** For the user core. */
  readonly sshAuthorizedKeys: readonly string[];
  readonly users: readonly ConfigUser[];
  readonly writeFiles: readonly ConfigFile[];
  /** `manage_etc_hosts: localhost`: the host's own name leads to itself. */
  readonly managesEtcHosts: boolean;
  readonly units: readonly ConfigUnit[];
  /** Lines of update.conf, from coreos.update and coreos.locksmith. */
  readonly updateConf: ReadonlyMap<string, string>;
  /** At most one a unit. */
  readonly daemons: readonly DaemonSettings[];
  /** Lines of flannel's options file. */
  readonly flannel: ReadonlyMap<string, string>;
  /** Lines of oem-release. */
  readonly oem: ReadonlyMap<string, string>;
}

export interface ConfigUser {
  readonly name: string;
  readonly gecos: string | null;
  /** A hash as crypt(3) makes it. */
  readonly passwordHash: string | null;
  readonly homedir: string | null;
  readonly noCreateHome: boolean;
  readonly primaryGroup: string | null;
  readonly groups: readonly string[];
  readonly noUserGroup: boolean;
  readonly system: boolean;
  readonly noLogInit: boolean;
  readonly shell: string | null;
  /** The account is there and lets nobody in. */
  readonly inactive: boolean;
  readonly lockPassword: boolean;
  readonly sshAuthorizedKeys: readonly string[];
  readonly imports: readonly KeyImport[];
}

/** Where more keys of a user come from. */
export type KeyImport =
  {readonly kind: 'github'; readonly account: string} | {readonly kind: 'url'; readonly url: string};

export interface ConfigFile {
  readonly path: string;
  /** Decoded. */
  readonly content: Uint8Array;
  readonly mode: number;
  /** `user`, `user:group`, names or numbers; null for root. */
  readonly owner: string | null;
}

export const UNIT_COMMANDS = [
  'start',
  'stop',
  'restart',
  'reload',
  'try-restart',
  'reload-or-restart',
  'reload-or-try-restart',
] as const;
export type UnitCommand = (typeof UNIT_COMMANDS)[number];

export interface ConfigUnit {
  readonly name: string;
  readonly mask: boolean | null;
  readonly enable: boolean;
  /** Gone after a restart of the host. */
  readonly runtime: boolean;
  readonly content: string | null;
  readonly command: UnitCommand | null;
  readonly dropIns: readonly {readonly name: string; readonly content: string}[];
}

/** Variables for a daemon's environment. */
export interface DaemonSettings {
  readonly unit: string;
  readonly variables: ReadonlyMap<string, string>;
  /** It forms a cluster with others and was not told by which address they reach it. */
  readonly wantsPeerAddress: boolean;
}

export interface Finding {
  /**
   * `error`: what it is about is left out. `unknown-key`: passed over when applied, refused by `validate`.
   * `warning`: applied, but worth a look.
   */
  readonly kind: 'error' | 'unknown-key' | 'warning';
  /** From 1; 0 for the config as a whole. */
  readonly line: number;
  readonly column: number;
  /** One sentence with the key in it. */
  readonly text: string;
}
