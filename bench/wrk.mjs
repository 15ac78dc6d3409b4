// A closed loop by wrk: so many connections, each with one request under way, for so many seconds.
import { spawn } from 'node:child_process';
import { inRepository } from './place.mjs';
import { loadCore } from './live.mjs';

/**
 * @param load `url`, `connections`, `seconds`; `method`, `headers` and `body` where they are not those of a plain GET;
 *   `isRefusal` where every answer must be 400 or above
 * @returns requests answered, errors, seconds, latencies in µs
 */
export function wrk({ url, connections, seconds, method = 'GET', headers = {}, body, isRefusal = false }) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const env = { PATH: process.env.PATH, BENCH_METHOD: method, BENCH_HEADERS: lines.join('\n') };
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
      const wrong = isRefusal ? requests - statusErrors : statusErrors;
      resolve({ requests, errors: wrong + socketErrors, seconds: us / 1e6, p50Us, p99Us });
    });
  });
}
