// `npm run bench:quick`: a steady load through key, policy, limit, audit and forwarding, and what it cost.
// It ends with an error when a single request failed.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { openLoop, quantile } from './load.mjs';
import { cpuSeconds, memoryOf } from './process.mjs';
import { checkLimited, keyOptions, writeSetup } from './setup.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const program = here('../dist/cli/cli.js');
const startMsMax = 20_000;
const writesEvery = 10;
const failure = (message) => {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(1);
};
const positive = (name, text) =>
  /^[1-9]\d{0,5}$/.test(text) ? Number(text) : failure(`--${name} must be a whole number from 1`);

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '64' },
    'cpu-prof': { type: 'string' },
    format: { type: 'string', default: 'table' },
  },
});
const seconds = positive('seconds', values.seconds);
const rate = positive('rate', values.rate);
const connections = positive('connections', values.connections);
if (!existsSync(program)) failure('dist/ is not built: npm run build');

const children = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a program and waits for the line that it writes when it is ready: the first one, or in a log the one that says so. */
function started(args, stream = 'stdout') {
  const stdio = ['ignore', ...['stdout', 'stderr'].map((name) => (name === stream ? 'pipe' : 'inherit'))];
  const child = spawn(process.execPath, args, { stdio });
  children.push(child);
  return new Promise((resolve) => {
    const timer = setTimeout(() => failure(`${args.join(' ')} did not start: ${text}`), startMsMax);
    child.once('exit', (code) => failure(`${args.join(' ')} ended with ${code}: ${text}`));
    let text = '';
    child[stream].setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const lines = text.split('\n').slice(0, -1);
      const line = stream === 'stdout' ? lines[0] : lines.find((each) => each.includes('"msg":"started"'));
      if (line === undefined) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      child[stream].removeAllListeners('data').resume();
      resolve({ child, line });
    });
  });
}

const answerOf = async (args) => (await promisify(execFile)(process.execPath, args)).stdout;

const stopped = (child) =>
  new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGTERM');
  });

/** Nine reads and a write. Reads find the one memory about tea, so that the memory server has the same work all the time. */
function requestsFor({ host }, key) {
  const common = `Host: ${host}\r\nAuthorization: Bearer ${key}\r\nX-Memory-Space: alpha\r\nUser-Agent: bench\r\nAccept: */*\r\n`;
  const writeOf = (content) => {
    const body = JSON.stringify({ content, confidence: 0.9 });
    const framing = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    return Buffer.from(`POST /api/v1/memories/remember HTTP/1.1\r\n${common}${framing}\r\n${body}`);
  };
  const read = Buffer.from(`GET /api/v1/memories/recall?query=tea&limit=5 HTTP/1.1\r\n${common}\r\n`);
  const first = writeOf('Alice drinks green tea in the afternoon');
  const write = writeOf('The harbour opens at seven, and the ferry leaves at nine');
  return (n) => (n % writesEvery > 0 ? read : n === 0 ? first : write);
}

const dir = mkdtempSync(join(tmpdir(), 'memgate-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const upstream = await started([here('./upstream.mjs')]);
const profiling = values['cpu-prof'] === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', values['cpu-prof']];
const config = writeSetup(dir, upstream.line);
const gateway = await started([...profiling, program, 'serve', '--config', config], 'stderr');
const facts = JSON.parse(gateway.line);
const target = new URL(facts.gateway);
const { key } = JSON.parse(
  await answerOf([program, 'auth', 'create-key', '--config', config, '--format', 'json', ...keyOptions]),
);
const next = requestsFor(target, key);
await checkLimited(target, key);

const warm = await openLoop(target, { rate: Math.min(rate, 500), seconds: 3, connections, next });
if (warm.problems.size > 0) failure(`warming up: ${JSON.stringify([...warm.problems])}`);
const before = cpuSeconds(gateway.child.pid);
const memoryBefore = memoryOf(gateway.child.pid);
const { latencies, problems, sent } = await openLoop(target, { rate, seconds, connections, next });
const after = cpuSeconds(gateway.child.pid);
const memory = memoryOf(gateway.child.pid);
await checkLimited(target, key);
const exit = await stopped(gateway.child);
await stopped(upstream.child);

const user = after.user - before.user;
const system = after.system - before.system;
const errors = [...problems.values()].reduce((sum, n) => sum + n, 0);
const figures = {
  rate,
  seconds,
  requests: sent,
  errors,
  problems: Object.fromEntries(problems),
  cpu_us_per_request: Math.round(((user + system) / sent) * 1e6),
  cpu_user_us: Math.round((user / sent) * 1e6),
  cpu_system_us: Math.round((system / sent) * 1e6),
  p50_ms: Number(quantile(latencies, 0.5).toFixed(2)),
  p99_ms: Number(quantile(latencies, 0.99).toFixed(2)),
  max_ms: Number(quantile(latencies, 1).toFixed(2)),
  rss_before_mib: Math.round(memoryBefore.nowMiB),
  rss_mib: Math.round(memory.nowMiB),
  rss_peak_mib: Math.round(memory.peakMiB),
  node: process.version,
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
};
if (values.format === 'json') process.stdout.write(`${JSON.stringify(figures)}\n`);
else {
  const lines = [
    [
      'requests',
      `${sent} at ${rate}/s for ${seconds} s over at most ${connections} connections; every ${writesEvery}th writes`,
    ],
    ['errors', `${errors}${errors === 0 ? '' : ` ${JSON.stringify(figures.problems)}`}`],
    [
      'CPU per request',
      `${figures.cpu_us_per_request} µs (user ${figures.cpu_user_us}, system ${figures.cpu_system_us})`,
    ],
    [
      'latency',
      `p50 ${figures.p50_ms} ms, p99 ${figures.p99_ms} ms, longest ${figures.max_ms} ms, from the scheduled time`,
    ],
    ['RSS', `${figures.rss_mib} MiB, ${figures.rss_before_mib} MiB before the load, peak ${figures.rss_peak_mib} MiB`],
    ['machine', `${figures.cores} cores, ${figures.cpu}, Node ${figures.node}`],
  ];
  for (const [name, text] of lines) process.stdout.write(`${name.padEnd(16)} ${text}\n`);
}
if (exit !== 0) failure(`the gateway ended with ${exit}`);
process.exitCode = errors === 0 ? 0 : 1;
