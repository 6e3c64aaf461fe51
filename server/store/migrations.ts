/**
 * How the tables came to be, step by step. A step that was ever released is never changed; what is wrong with it is put
 * right by the next one. Plain SQL of PostgreSQL, so that it can be read beside what `psql` shows.
 */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'releases, channels, groups, machines, events, tokens',
    statements: [
      `create table releases (
        version text primary key,
        bytes bigint not null,
        sha256 text not null unique,
        sha1 text not null,
        published_at bigint not null,
        published_by text not null,
        signed_by text not null,
        is_withdrawn boolean not null,
        withdrawn_why text not null,
        removed_at bigint
      )`,
      `create table release_documents (
        version text not null references releases (version) on delete cascade,
        name text not null,
        content text not null,
        primary key (version, name)
      )`,
      `create table channels (
        name text primary key,
        version text references releases (version),
        allow_downgrade boolean not null,
        promoted_at bigint not null
      )`,
      // What was signed last for each channel: its serial number must be known before anyone reads it.
      `create table signed_channels (
        name text primary key references channels (name) on delete cascade,
        serial bigint not null,
        envelope text not null,
        signed_at bigint not null
      )`,
      `create table promotions (
        id bigint generated always as identity primary key,
        channel text not null references channels (name) on delete cascade,
        version text not null,
        allow_downgrade boolean not null,
        at bigint not null,
        by text not null
      )`,
      `create table groups (
        id text primary key,
        name text not null unique,
        channel text not null references channels (name),
        policy text not null,
        state text not null,
        created_at bigint not null
      )`,
      `create table machines (
        id text primary key,
        group_id text not null references groups (id) on delete cascade,
        alias text not null,
        oem text not null,
        oem_version text not null,
        aleph_version text not null,
        board text not null,
        first_seen_at bigint not null,
        last_seen_at bigint not null,
        version text not null,
        prefix text not null,
        progress text not null,
        progress_version text,
        granted_at bigint,
        progress_at bigint not null,
        has_entered boolean not null,
        setbacks integer not null,
        blame text
      )`,
      'create index machines_by_group on machines (group_id, id)',
      // Neither of these points to machines: what a machine did stays known when it is forgotten.
      `create table grants (
        id bigint generated always as identity primary key,
        machine_id text not null,
        group_id text not null,
        version text not null,
        at bigint not null
      )`,
      'create index grants_by_machine on grants (machine_id, id)',
      'create index grants_by_time on grants (at)',
      `create table events (
        id bigint generated always as identity primary key,
        at bigint not null,
        machine_id text not null,
        group_id text not null,
        version text not null,
        type integer not null,
        result integer not null,
        error_code bigint,
        previous_version text
      )`,
      'create index events_by_machine on events (machine_id, id)',
      'create index events_by_time on events (at)',
      `create table tokens (
        id text primary key,
        name text not null unique,
        hash text not null unique,
        role text not null,
        created_at bigint not null,
        revoked_at bigint
      )`,
      // What a browser holds is kept as a hash; with its token a session ends.
      `create table sessions (
        hash text primary key,
        token_id text not null references tokens (id) on delete cascade,
        created_at bigint not null,
        last_seen_at bigint not null
      )`,
      `create table version_samples (
        group_id text not null references groups (id) on delete cascade,
        at bigint not null,
        version text not null,
        machines integer not null,
        primary key (group_id, at, version)
      )`,
    ],
  },
];
