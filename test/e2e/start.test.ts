import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';

const base = {
  profile: resolve('config/profiles/engram.yaml'),
  policy: { bundle: resolve('policies/dist/memgate.tar.gz') },
  gateway: { listen: '127.0.0.1:0' },
  admin: { listen: '127.0.0.1:0' },
  probes: { listen: '127.0.0.1:0' },
};

function place(t: Test, more: object): { dir: string; file: string } {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-start-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const file = join(dir, 'memgate.yaml');
  writeFileSync(file, JSON.stringify({ ...base, data_dir: dir, ...more }));
  return { dir, file };
}

/** Runs `serve` until it ends, or until it has started. */
async function serve(t: Test, file: string): Promise<{ lines: string[]; code: Promise<number | null>; pid: number }> {
  const child = spawn('node', ['dist/cli/cli.js', 'serve', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const code = new Promise<number | null>((settle) => child.once('exit', settle));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    if (line.includes('"msg":"started"')) break;
  }
  return { lines, code, pid: child.pid ?? 0 };
}

t.test('a start on a port that is taken ends, says which, and leaves nothing open', async (t) => {
  const other = createServer();
  await new Promise<void>((settle) => other.listen(0, '127.0.0.1', settle));
  t.teardown(() => other.close());
  const taken = `127.0.0.1:${String((other.address() as AddressInfo).port)}`;
  const { dir, file } = place(t, { gateway: { listen: taken }, audit: { allow_tmpfs: true } });
  const { lines, code } = await serve(t, file);
  t.equal(await code, 1);
  t.match(lines.join('\n'), taken.split(':')[1] ?? '', 'the port is named');
  t.notOk(readdirSync(dir).includes('control.sock'), 'the control socket is gone');
  const again = place(t, { audit: { allow_tmpfs: true }, data_dir: dir });
  const second = await serve(t, again.file);
  t.match(second.lines.at(-1), '"msg":"started"', 'and the directory can be taken at once');
});

t.test('a start on a full audit log is unready, says so, and stops in order', async (t) => {
  const audit = { allow_tmpfs: true, max_bytes: 16_384, segment_bytes: 4_096, reserve_bytes: 0 };
  const { dir, file } = place(t, { audit });
  const first = await serve(t, file);
  process.kill(first.pid, 'SIGTERM');
  t.equal(await first.code, 0);
  const [segment = ''] = readdirSync(join(dir, 'audit')).filter((name) => name.endsWith('.jsonl'));
  t.ok(statSync(join(dir, 'audit', segment)).size < 16_384);
  writeFileSync(file, JSON.stringify({ ...base, data_dir: dir, audit: { ...audit, segment_bytes: 4_096 } }));
  for (let start = 0; start < 20; start += 1) {
    const running = await serve(t, file); // each start writes records of its own until there is no room
    const started = running.lines.find((line) => line.includes('"msg":"started"')) ?? '{}';
    const { probes = '' } = JSON.parse(started) as { probes?: string };
    const ready = (await (await fetch(`${probes}/ready`)).json()) as { components: { audit: { ready: boolean } } };
    const health = (await fetch(`${probes}/health`)).status;
    process.kill(running.pid, 'SIGTERM');
    t.equal(await running.code, 0, 'it stops in order');
    if (ready.components.audit.ready) continue;
    t.equal(health, 200, 'alive: killing it would free nothing');
    return;
  }
  t.fail('the log never got full');
});
