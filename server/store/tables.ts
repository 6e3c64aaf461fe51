/** The tables, as the compiler sees them. What makes them is migrations.ts; a test holds the two against each other. */
import type {Generated} from 'kysely';

export interface ReleaseTable {
  readonly version: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Base64, for clients of old. */
  readonly sha1: string;
  /** Milliseconds since 1970, as everywhere. */
  readonly published_at: number;
  /** Name of a token. */
  readonly published_by: string;
  /** Name of the key whose signature its manifest has; empty for a release of the folder. */
  readonly signed_by: string;
  /** A withdrawn one stays known, and nobody is offered it. */
  readonly is_withdrawn: boolean;
  readonly withdrawn_why: string;
  /** What is left of a removed one is its hash, so that its version never means other bytes. */
  readonly removed_at: number | null;
}

export interface ReleaseDocumentTable {
  readonly version: string;
  readonly name: string;
  readonly content: string;
}

export interface ChannelTable {
  readonly name: string;
  readonly version: string | null;
  readonly allow_downgrade: boolean;
  readonly promoted_at: number;
}

export interface SignedChannelTable {
  readonly name: string;
  readonly serial: number;
  /** The file that hosts get. */
  readonly envelope: string;
  readonly signed_at: number;
}

/** What a channel pointed to, from first to last. */
export interface PromotionTable {
  readonly id: Generated<number>;
  readonly channel: string;
  readonly version: string;
  readonly allow_downgrade: boolean;
  readonly at: number;
  readonly by: string;
}

export interface GroupTable {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly channel: string;
  /** A policy document; JSON. */
  readonly policy: string;
  /** The state of the rollout; JSON. */
  readonly state: string;
  readonly created_at: number;
}

export interface MachineTable {
  readonly id: string;
  readonly group_id: string;
  readonly alias: string;
  readonly oem: string;
  readonly oem_version: string;
  readonly aleph_version: string;
  readonly board: string;
  readonly first_seen_at: number;
  readonly last_seen_at: number;
  readonly version: string;
  readonly prefix: string;
  readonly progress: string;
  /** Of what is under way, or was when its grant was taken back. */
  readonly progress_version: string | null;
  readonly granted_at: number | null;
  readonly progress_at: number;
  readonly has_entered: boolean;
  readonly setbacks: number;
  readonly blame: string | null;
}

export interface GrantTable {
  readonly id: Generated<number>;
  readonly machine_id: string;
  readonly group_id: string;
  readonly version: string;
  readonly at: number;
}

export interface EventTable {
  readonly id: Generated<number>;
  readonly at: number;
  readonly machine_id: string;
  readonly group_id: string;
  /** What the machine ran. */
  readonly version: string;
  readonly type: number;
  readonly result: number;
  /** Without flags. */
  readonly error_code: number | null;
  readonly previous_version: string | null;
}

export interface TokenTable {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  readonly role: string;
  readonly created_at: number;
  readonly revoked_at: number | null;
}

export interface SessionTable {
  /** SHA-256 of what the browser holds, hex. */
  readonly hash: string;
  readonly token_id: string;
  readonly created_at: number;
  readonly last_seen_at: number;
}

/** How many machines of a group ran a version at a time. */
export interface VersionSampleTable {
  readonly group_id: string;
  readonly at: number;
  readonly version: string;
  readonly machines: number;
}

export interface Tables {
  readonly releases: ReleaseTable;
  readonly release_documents: ReleaseDocumentTable;
  readonly channels: ChannelTable;
  readonly signed_channels: SignedChannelTable;
  readonly promotions: PromotionTable;
  readonly groups: GroupTable;
  readonly machines: MachineTable;
  readonly grants: GrantTable;
  readonly events: EventTable;
  readonly tokens: TokenTable;
  readonly sessions: SessionTable;
  readonly version_samples: VersionSampleTable;
}
