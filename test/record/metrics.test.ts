import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { createMeter } from '../../src/record/record.js';
import { metricFamilies } from '../../src/record/families.js';
import { CounterSeries } from '../../src/record/series.js';

function used(prefix: string): ReturnType<typeof createMeter> {
  const meter = createMeter(prefix);
  meter.request({ method: 'GET', route: 'memories.recall', status: 200, durationS: 0.003, code: null });
  meter.request({ method: 'GET', route: 'memories.recall', status: 200, durationS: 40, code: null });
  meter.request({ method: 'BREW "x"\n', route: 'none', status: 405, durationS: 0, code: 'gate.method' });
  meter.refusal('gate.malformed');
  meter.observedRefusal('identify.unauthenticated');
  meter.authAttempt('success', 'none');
  meter.authAttempt('failure', 'expired');
  meter.keyValidation('verified');
  meter.deprecatedKeyUse();
  meter.limitHit('tier', 'free');
  meter.credentialOperation('create', 'success');
  meter.auditEvent('auth');
  meter.auditLost(3);
  meter.auditBatch(64, 0.002);
  meter.policyEvaluation(0.00002);
  meter.policyError('threw');
  meter.policyInstanceReplaced();
  meter.upstreamError('upstream.timeout');
  meter.connectionRefused('address');
  meter.reload('failure');
  meter.gauge('config_last_reload_successful', () => 0);
  meter.gauge('audit_bytes', () => 4_096);
  return meter;
}

t.test('text() holds the names and values of everything that was counted', async (t) => {
  const meter = used('engram_');
  const text = await meter.text();
  const wanted = [
    'http_requests_total{method="GET",route="memories.recall",status="200"} 2',
    'http_requests_total{method="other",route="none",status="405"} 1',
    'http_request_duration_seconds_bucket{route="memories.recall",le="0.0025"} 0',
    'http_request_duration_seconds_bucket{route="memories.recall",le="0.005"} 1',
    'http_request_duration_seconds_bucket{route="memories.recall",le="30"} 1',
    'http_request_duration_seconds_bucket{route="memories.recall",le="+Inf"} 2',
    'http_request_duration_seconds_sum{route="memories.recall"} 40.003',
    'http_request_duration_seconds_count{route="memories.recall"} 2',
    'http_refusals_total{code="gate.method"} 1',
    'http_refusals_total{code="gate.malformed"} 1',
    'observed_refusals_total{code="identify.unauthenticated"} 1',
    'auth_attempts_total{result="success"} 1',
    'auth_attempts_total{result="failure"} 1',
    'auth_failures_total{reason="expired"} 1',
    'api_key_validations_total{result="hit"} 0',
    'api_key_validations_total{result="verified"} 1',
    'deprecated_key_usage_total 1',
    'rate_limit_hits_total{limit="tier",tier="free"} 1',
    'credential_operations_total{operation="create",result="success"} 1',
    'audit_events_total{family="auth"} 1',
    'audit_lost_total 3',
    'audit_batch_records_bucket{le="64"} 1',
    'policy_errors_total{kind="threw"} 1',
    'upstream_errors_total{code="upstream.timeout"} 1',
    'connections_refused_total{reason="address"} 1',
    'config_reloads_total{result="failure"} 1',
    'config_last_reload_successful 0',
    'audit_bytes 4096',
  ];
  const lines = new Set(text.split('\n'));
  for (const line of wanted) t.ok(lines.has(`engram_${line}`), line);
  t.match(text, /^engram_process_cpu_seconds_total /m);
  t.match(meter.contentType, /^text\/plain; version=0\.0\.4/);
  t.notMatch(text, /keys_loaded/, 'a gauge that nobody bound is absent');
});

t.test('text() is well-formed: help and type once, before the samples of that family', async (t) => {
  const text = await used('memgate_').text();
  const types = new Map<string, string>();
  let seen = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      t.notOk(types.has(type[1] ?? ''), `${line} once`);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    if (line.startsWith('# HELP ')) continue;
    const sample = /^([a-z_0-9]+)(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (?:[0-9.eE+-]+|NaN|\+Inf)$/.exec(
      line,
    );
    t.ok(sample, line);
    const name = sample?.[1] ?? '';
    t.ok(types.has(name) || types.has(name.replace(/_(?:bucket|sum|count)$/, '')), `${name} has a type`);
    seen += 1;
  }
  t.ok(seen > 100, `${String(seen)} samples`);
  for (const [name, type] of types) t.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
});

t.test('a family never grows beyond its cap', (t) => {
  const series = new CounterSeries({ kind: 'counter', help: 'x', labels: ['a'] });
  for (let n = 0; n < 5_000; n += 1) series.add(1, String(n));
  const lines = series.text('x').split('\n');
  t.ok(lines.length <= 2_005, String(lines.length));
  t.ok(lines.includes('x{a="other"} 3000'));
  t.end();
});

t.test('promtool finds nothing to say', async (t) => {
  const text = await used('memgate_').text();
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
  } catch {
    if (process.env['CI'] === 'true') t.fail('promtool is not installed');
    else t.pass('promtool check metrics', { skip: 'promtool is not on the PATH' });
    return;
  }
  t.doesNotThrow(() => execFileSync('promtool', ['check', 'metrics'], { input: text }));
});

t.test('the reference page lists every family', (t) => {
  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');
  for (const name of Object.keys(metricFamilies)) t.ok(page.includes(`\`${name}\``), name);
  t.end();
});
