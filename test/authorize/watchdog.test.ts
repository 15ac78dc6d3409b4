import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startWatchdog, watchdogExitCode } from '../../src/authorize/authorize.js';

const program = fileURLToPath(new URL('./fixtures/stuck.ts', import.meta.url));

async function run(limitMs: number, rounds: number): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [...process.execArgv, program, String(limitMs), String(rounds)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

t.test('PE-05 an evaluation that does not come back ends the process with one line of log', async (t) => {
  const { code, out, err } = await run(300, 120);
  t.equal(code, watchdogExitCode);
  t.equal(out, '');
  const lines = err.split('\n').filter((line) => line.startsWith('{'));
  t.equal(lines.length, 1);
  t.match(JSON.parse(lines[0] ?? ''), { level: 60, msg: 'policy.stuck', limit_ms: 300 });
});

t.test('many evaluations in a row are none that hangs, and the thread holds nobody back', async (t) => {
  const { code, out, err } = await run(800, 0);
  t.equal(code, 0);
  t.match(out, /answered\nleft by the front door/);
  t.notMatch(err, /policy\.stuck/);
});

t.test('stop() ends the thread', async (t) => {
  const watchdog = startWatchdog({ limitMs: 1_000 });
  watchdog.enter();
  watchdog.leave();
  await watchdog.stop();
  t.pass('stopped');
});
