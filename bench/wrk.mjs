// A closed loop by wrk: so many connections, each with one request under way, for so many seconds.
import { spawn } from 'node:child_process';
import { inRepository } from './place.mjs';
import { loadCore } from './live.mjs';

const linesOf = (headers) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');

/**
 * @param load `url`, `connections`, `seconds`; `method`, `headers` and `body` where they are not those of a plain GET; `rotate`, a list of
 *   headers of which each request has the next; `refusalsOnly` where answers must be 400 or above, but for so many
 * @returns requests answered, errors, seconds, latencies in µs
 */
export function wrk({ url, connections, seconds, method = 'GET', headers = {}, body, rotate, refusalsOnly = null }) {
  const env = { PATH: process.env.PATH, BENCH_METHOD: method, BENCH_HEADERS: linesOf(headers) };
  if (rotate !== undefined) env.BENCH_ROTATE = rotate.map(linesOf).join('\n');
  if (body !== undefined) env.BENCH_BODY = body;
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    inRepository('bench/wrk.lua'),
    url,
  ];
  const child = spawn('taskset', ['-c', loadCore, 'wrk', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part));
    child.once('error', reject);
    child.once('close', () => {
      const at = text.indexOf('@@');
      if (at < 0) {
        reject(new Error(`wrk: ${text.trim()}`));
        return;
      }
      const { requests, us, statusErrors, socketErrors, p50Us, p99Us } = JSON.parse(text.slice(at + 2));
      const wrong = refusalsOnly === null ? statusErrors : Math.max(0, requests - statusErrors - refusalsOnly);
      resolve({ requests, errors: wrong + socketErrors, seconds: us / 1e6, p50Us, p99Us });
    });
  });
}
