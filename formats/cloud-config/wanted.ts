/** What a host shall be like: what a cloud-config comes to, in things that can be compared with what is there. */
import type {ConfigUser, KeyImport, UnitCommand} from './types.ts';

export interface Wanted {
  /** Null leaves it as it is. */
  readonly hostname: string | null;
  readonly users: readonly ConfigUser[];
  readonly keys: readonly WantedKeys[];
  readonly files: readonly WantedFile[];
  readonly assignments: readonly WantedAssignments[];
  readonly units: readonly WantedUnit[];
  /** Sentences for the operator about what is done otherwise than the config has it. */
  readonly notes: readonly string[];
}

/** All keys that a user gets from the config. */
export interface WantedKeys {
  readonly user: string;
  readonly keys: readonly string[];
  readonly imports: readonly KeyImport[];
}

export interface WantedFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  /** `user`, `user:group`, names or numbers. */
  readonly owner: string;
  /** The unit that has to be loaded again when the file changes. */
  readonly unit: string | null;
}

/** Single lines KEY=VALUE of a file that others write as well. */
export interface WantedAssignments {
  readonly path: string;
  readonly values: ReadonlyMap<string, string>;
  /** The file, if it has to be made, is for root alone. */
  readonly isSecret: boolean;
}

export interface WantedUnit {
  readonly name: string;
  /** Null leaves it as it is. */
  readonly mask: boolean | null;
  readonly enable: boolean;
  /** Of enabling and masking: until the host restarts. */
  readonly runtime: boolean;
  readonly command: UnitCommand | null;
}
