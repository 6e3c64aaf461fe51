/** Settings of etcd through its ages: what the etcd of this OS (3.5) knows, and what became of the older ones. */

/** Flags of etcd 3.5, with underscores; each is a variable ETCD_... as well. The real etcd is asked in a test. */
export const ETCD_SETTINGS: readonly string[] = [
  ...['name', 'data_dir', 'wal_dir', 'snapshot_count', 'heartbeat_interval', 'election_timeout'],
  ...['initial_election_tick_advance', 'listen_peer_urls', 'listen_client_urls', 'max_snapshots', 'max_wals'],
  ...['quota_backend_bytes', 'backend_bbolt_freelist_type', 'backend_batch_interval', 'backend_batch_limit'],
  ...[
    'max_txn_ops',
    'max_request_bytes',
    'max_concurrent_streams',
    'raft_read_timeout',
    'raft_write_timeout',
    'grpc_keepalive_min_time',
    'grpc_keepalive_interval',
  ],
  ...['grpc_keepalive_timeout', 'socket_reuse_port', 'socket_reuse_address'],
  ...['initial_advertise_peer_urls', 'initial_cluster', 'initial_cluster_state', 'initial_cluster_token'],
  ...['advertise_client_urls', 'discovery', 'discovery_fallback', 'discovery_proxy', 'discovery_srv'],
  ...['discovery_srv_name', 'strict_reconfig_check', 'pre_vote', 'auto_compaction_retention'],
  ...[
    'auto_compaction_mode',
    'enable_v2',
    'v2_deprecation',
    'enable_grpc_gateway',
    'listen_client_http_urls',
  ],
  ...['cert_file', 'key_file', 'client_cert_auth', 'client_crl_file', 'client_cert_allowed_hostname'],
  ...['trusted_ca_file', 'auto_tls', 'peer_cert_file', 'peer_key_file', 'peer_client_cert_auth'],
  ...[
    'peer_trusted_ca_file',
    'peer_cert_allowed_cn',
    'peer_cert_allowed_hostname',
    'peer_auto_tls',
    'client_cert_file',
    'client_key_file',
    'peer_client_cert_file',
    'peer_client_key_file',
  ],
  ...['self_signed_cert_validity', 'peer_crl_file', 'cipher_suites', 'cors', 'host_whitelist'],
  ...['tls_min_version', 'tls_max_version'],
  ...['auth_token', 'auth_token_ttl', 'bcrypt_cost', 'enable_pprof', 'metrics', 'listen_metrics_urls'],
  ...['logger', 'log_outputs', 'log_level', 'enable_log_rotation', 'log_rotation_config_json'],
  ...['proxy', 'proxy_failure_wait', 'proxy_refresh_interval', 'proxy_dial_timeout', 'proxy_write_timeout'],
  ...['proxy_read_timeout', 'force_new_cluster', 'unsafe_no_fsync'],
];

/** Those that are true or false, and nothing else. */
export const ETCD_SWITCHES: ReadonlySet<string> = new Set([
  ...['initial_election_tick_advance', 'socket_reuse_port', 'socket_reuse_address', 'strict_reconfig_check'],
  ...['pre_vote', 'enable_v2', 'client_cert_auth', 'auto_tls', 'peer_client_cert_auth', 'peer_auto_tls'],
  ...['enable_grpc_gateway', 'enable_pprof', 'enable_log_rotation', 'force_new_cluster', 'unsafe_no_fsync'],
  ...['debug', 'verbose', 'very_verbose', 'very_very_verbose', 'snapshot'],
]);

/** What became of a setting. */
export type Fate =
  /** It has another name now, and means the same. */
  | {readonly kind: 'renamed'; readonly to: string}
  /** Addresses without a scheme, which became URLs: see etcd.ts. */
  | {readonly kind: 'address'}
  /** A switch that made etcd say more. */
  | {readonly kind: 'log-level'}
  /** Passed over: etcd does by itself what it was for, or does it no more. */
  | {readonly kind: 'gone'; readonly why: string}
  /** Passing over it would make another cluster than the one meant. */
  | {readonly kind: 'refused'; readonly instead: string};

const gone = (why: string): Fate => ({kind: 'gone', why});

/** Of etcd 2 and 0.4. */
export const OLD_ETCD_SETTINGS: Readonly<Record<string, Fate>> = {
  // etcd 2
  ca_file: {kind: 'renamed', to: 'trusted_ca_file'},
  peer_ca_file: {kind: 'renamed', to: 'peer_trusted_ca_file'},
  debug: {kind: 'log-level'},
  log_package_levels: gone('levels of single packages are no more; log_level is for all'),
  // etcd 0.4
  addr: {kind: 'address'},
  bind_addr: {kind: 'address'},
  peer_addr: {kind: 'address'},
  peer_bind_addr: {kind: 'address'},
  peer_heartbeat_interval: {kind: 'renamed', to: 'heartbeat_interval'},
  peer_election_timeout: {kind: 'renamed', to: 'election_timeout'},
  verbose: {kind: 'log-level'},
  very_verbose: {kind: 'log-level'},
  very_very_verbose: {kind: 'log-level'},
  peers: {
    kind: 'refused',
    instead: 'initial_cluster, which also has the names: node1=http://192.0.2.11:2380,...',
  },
  peers_file: {
    kind: 'refused',
    instead: 'initial_cluster, which also has the names: node1=http://192.0.2.11:2380,...',
  },
  cluster_active_size: {
    kind: 'refused',
    instead: 'the size of the cluster, given to the discovery service (/new?size=3)',
  },
  cluster_remove_delay: gone('members are removed by a person: etcdctl member remove'),
  cluster_sync_interval: gone('clients are told of members at once'),
  graphite_host: gone('etcd serves its metrics at /metrics'),
  http_read_timeout: gone('etcd chooses its timeouts'),
  http_write_timeout: gone('etcd chooses its timeouts'),
  max_result_buffer: gone('the history is bounded by auto_compaction_retention'),
  max_retry_attempts: gone('etcd tries until its unit is stopped'),
  retry_interval: gone('etcd tries until its unit is stopped'),
  snapshot: gone('etcd always makes snapshots'),
  trace: gone('see log_level'),
};
