import type { GaugeName, LabelledGaugeName } from '../model/meter.js';
import type { MetricFamily } from './series.js';

const requestSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const shortSeconds = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01];
const diskSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const counter = (help: string, ...labels: readonly string[]): MetricFamily => ({ kind: 'counter', help, labels });
const gauge = (help: string, ...labels: readonly string[]): MetricFamily => ({ kind: 'gauge', help, labels });
const histogram = (help: string, buckets: readonly number[], ...labels: readonly string[]): MetricFamily => ({
  kind: 'histogram',
  help,
  labels,
  buckets,
});

/** What is counted, by name without the prefix. */
export const counters = {
  http_requests_total: counter(
    'Requests that were answered. Status 0: the client left before a head was sent.',
    'method',
    'route',
    'status',
  ),
  http_refusals_total: counter(
    'Requests that the gateway answered itself, and bytes that never became one, by code.',
    'code',
  ),
  observed_refusals_total: counter(
    'Requests that passed because they are only observed, and that enforce would have refused, by code.',
    'code',
  ),
  auth_attempts_total: counter('Credentials that were looked at.', 'result'),
  auth_failures_total: counter('Credentials that were refused.', 'reason'),
  api_key_validations_total: counter(
    'API keys checked: hit from the cache, verified or rejected after an Argon2id computation.',
    'result',
  ),
  deprecated_key_usage_total: counter('Requests with a rotated key inside its grace period.'),
  rate_limit_hits_total: counter('Requests that a limit refused.', 'limit', 'tier'),
  credential_operations_total: counter('Keys made, rotated and revoked.', 'operation', 'result'),
  audit_events_total: counter('Records of the audit log that are on disk.', 'family'),
  audit_lost_total: counter('Records that could not be written.'),
  policy_errors_total: counter('Evaluations that gave no well-formed decision.', 'kind'),
  policy_instances_replaced_total: counter('Policy instances that were thrown away after an error.'),
  policy_shadow_decisions_total: counter(
    'Decisions that a candidate policy was asked about too: agree, would_allow what is refused, would_deny what is allowed, or failed.',
    'route',
    'result',
  ),
  policy_shadow_dropped_total: counter(
    'Decisions that a candidate policy was not asked about, for want of time or room.',
  ),
  upstream_errors_total: counter('Requests that failed on their way to the memory server and back, by code.', 'code'),
  upstream_credential_reads_total: counter(
    'Changed files of upstream.credential that were read again: taken, or refused so that the old secret stays.',
    'result',
  ),
  object_lookups_total: counter(
    'Objects whose space was looked up: hit from the cache, joined to a question under way; found, absent or failed at the memory server.',
    'result',
  ),
  answers_judged_total: counter(
    'Answers that were held until it was known whose they are: passed, filtered, foreign, absent, or unread because they could not be judged.',
    'result',
  ),
  connections_refused_total: counter(
    'Client connections that were closed: total and address when they were opened, pipelined for too many requests in waiting.',
    'reason',
  ),
  leases_ended_total: counter(
    'Streams and long requests that were ended because their right was lost, by code.',
    'code',
  ),
  config_reloads_total: counter('Reloads that were tried.', 'result'),
} as const satisfies Record<string, MetricFamily>;

export const histograms = {
  http_request_duration_seconds: histogram('From the head of a request to its end.', requestSeconds, 'route'),
  audit_batch_records: histogram(
    'Records that share one sync of the disk.',
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
  ),
  audit_batch_duration_seconds: histogram('Writing and syncing of one batch.', diskSeconds),
  policy_evaluation_duration_seconds: histogram('One evaluation of the policy.', shortSeconds),
} as const satisfies Record<string, MetricFamily>;

export const gauges = {
  requests_in_progress: gauge('Requests between head and end.'),
  places_taken: gauge('Requests in progress that count for gateway.max_requests_in_progress: all but streams.'),
  shed_ratio: gauge('Part of the new requests that is turned away because the event loop is late, 0 to 1.'),
  memory_short: gauge('1 while new requests are turned away because memory is short.'),
  hash_queue_length: gauge('Credentials that wait for an Argon2id computation.'),
  limit_buckets: gauge('Buckets of rate limits in memory.'),
  audit_queue_length: gauge('Records that wait for the disk.'),
  audit_bytes: gauge('Size of all segments of the audit log.'),
  audit_last_sequence: gauge('Number of the last record on disk.'),
  upstream_connections: gauge('Connections to the memory server.'),
  upstream_pending: gauge('Requests that wait for a connection to the memory server.'),
  upstream_credential_files_refused: gauge(
    'Files of upstream.credential whose content cannot be taken; an older secret is in force.',
  ),
  keys_loaded: gauge('API keys in force.'),
  policy_serial: gauge('Serial of the policy bundle in force; 0 when it has none.'),
  policy_not_after_timestamp_seconds: gauge(
    'Unix time from which on the policy bundle in force is out of date; 0 when it does not say.',
  ),
  policy_memory_bytes: gauge('Memory of the policy instance.'),
  generation_loaded_timestamp_seconds: gauge('Unix time at which the generation in force was loaded.'),
  generation_rolled_back: gauge('1 while a generation that was gone back to is in force.'),
  generations_kept: gauge('Good generations that are kept on disk to go back to.'),
  policy_source_looked_at_timestamp_seconds: gauge(
    'Unix time at which the source of the policy was last looked at successfully: the files, or the bundle server; 0: not yet.',
  ),
  config_last_reload_successful: gauge('1 when the last reload took effect, 0 when it was refused.'),
  open_connections: gauge('Client connections.'),
  leases_open: gauge('Streams, tunnels and long requests whose right is looked at again and again.'),
} as const satisfies Record<GaugeName, MetricFamily>;

/** Gauges with one label. */
export const labelledGauges = {
  side_doors_open: gauge(
    'Addresses of the machine at which a port of the memory server can be reached around the gateway; ports that side_doors.accepted_ports lists count as 0.',
    'port',
  ),
} as const satisfies Record<LabelledGaugeName, MetricFamily>;

/** Every family of ours, for the reference page. */
export const metricFamilies: Readonly<Record<string, MetricFamily>> = {
  ...counters,
  ...histograms,
  ...gauges,
  ...labelledGauges,
};
