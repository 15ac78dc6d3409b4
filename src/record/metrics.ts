import { collectDefaultMetrics, Registry } from 'prom-client';
import type { GaugeName, LabelledGaugeName, Meter } from '../model/meter.js';
import { counters, gauges, histograms, labelledGauges } from './families.js';
import {
  CounterSeries,
  GaugeSeries,
  HistogramSeries,
  LabelledGaugeSeries,
  type MetricFamily,
  type Series,
} from './series.js';

/** A meter that can be scraped. */
export interface ScrapedMeter extends Meter {
  /** The exposition in the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

// Gauges whose names end like a counter's: the lint of promtool refuses them, and process_open_fds tells as much.
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

type Made<Families, S> = { readonly [Name in keyof Families]: S };

function make<Families extends Readonly<Record<string, MetricFamily>>, S>(
  families: Families,
  create: (family: MetricFamily) => S,
): Made<Families, S> {
  return Object.fromEntries(Object.entries(families).map(([name, family]) => [name, create(family)])) as Made<
    Families,
    S
  >;
}

function processMetrics(prefix: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix });
  for (const name of misnamed) registry.removeSingleMetric(prefix + name);
  return registry;
}

// prom-client spells "not a number" in a way of its own.
const processText = async (registry: Registry): Promise<string> =>
  (await registry.metrics()).replaceAll(' Nan\n', ' NaN\n');

/**
 * Counts in plain structures and renders them when somebody asks: counting costs a look-up in a map.
 * Process metrics come from prom-client.
 *
 * @param prefix of every name, such as `memgate_`; may be empty
 */
export function createMeter(prefix: string): ScrapedMeter {
  const registry = processMetrics(prefix);
  const count = make(counters, (family) => new CounterSeries(family));
  const time = make(histograms, (family) => new HistogramSeries(family));
  const read = make(gauges, (family) => new GaugeSeries(family));
  const labelled = make(labelledGauges, (family) => new LabelledGaugeSeries(family));
  const all: readonly (readonly [string, Series])[] = [
    ...Object.entries(count),
    ...Object.entries(time),
    ...Object.entries(read),
    ...Object.entries(labelled),
  ];
  for (const result of ['success', 'failure']) {
    count.auth_attempts_total.add(0, result);
    count.config_reloads_total.add(0, result);
    count.upstream_credential_reads_total.add(0, result);
  }
  for (const result of ['hit', 'verified', 'rejected']) count.api_key_validations_total.add(0, result);
  return {
    ...meterOf(count, time),
    gauge: (name: GaugeName, value: () => number) => read[name].bind(value),
    labelled: (name: LabelledGaugeName, values) => labelled[name].bind(values),
    contentType: registry.contentType,
    text: async () => all.map(([name, series]) => series.text(prefix + name)).join('') + (await processText(registry)),
  };
}

function meterOf(
  count: Made<typeof counters, CounterSeries>,
  time: Made<typeof histograms, HistogramSeries>,
): Omit<Meter, 'gauge' | 'labelled'> {
  return {
    request: ({ method, route, status, durationS, code }) => {
      count.http_requests_total.add(1, methods.has(method) ? method : 'other', route, String(status));
      time.http_request_duration_seconds.observe(durationS, route);
      if (code !== null) count.http_refusals_total.add(1, code);
    },
    refusal: (code) => count.http_refusals_total.add(1, code),
    observedRefusal: (code) => count.observed_refusals_total.add(1, code),
    authAttempt: (result, reason) => {
      count.auth_attempts_total.add(1, result);
      if (result === 'failure') count.auth_failures_total.add(1, reason);
    },
    keyValidation: (result) => count.api_key_validations_total.add(1, result),
    deprecatedKeyUse: () => count.deprecated_key_usage_total.add(1),
    limitHit: (limit, tier) => count.rate_limit_hits_total.add(1, limit, tier),
    credentialOperation: (operation, result) => count.credential_operations_total.add(1, operation, result),
    auditEvent: (family) => count.audit_events_total.add(1, family),
    auditLost: (lost) => count.audit_lost_total.add(lost),
    auditBatch: (records, seconds) => {
      time.audit_batch_records.observe(records);
      time.audit_batch_duration_seconds.observe(seconds);
    },
    policyEvaluation: (seconds) => time.policy_evaluation_duration_seconds.observe(seconds),
    policyError: (kind) => count.policy_errors_total.add(1, kind),
    policyInstanceReplaced: () => count.policy_instances_replaced_total.add(1),
    ...shadowCounts(count),
    upstreamError: (code) => count.upstream_errors_total.add(1, code),
    upstreamCredentialRead: (result) => count.upstream_credential_reads_total.add(1, result),
    answerJudged: (result) => count.answers_judged_total.add(1, result),
    objectLookup: (result) => count.object_lookups_total.add(1, result),
    connectionRefused: (reason) => count.connections_refused_total.add(1, reason),
    leaseEnded: (code) => count.leases_ended_total.add(1, code),
    reload: (result) => count.config_reloads_total.add(1, result),
  };
}

const shadowCounts = (
  count: Made<typeof counters, CounterSeries>,
): Pick<Meter, 'shadowDecision' | 'shadowDropped'> => ({
  shadowDecision: (route, result) => count.policy_shadow_decisions_total.add(1, route, result),
  shadowDropped: (decisions) => count.policy_shadow_dropped_total.add(decisions),
});
