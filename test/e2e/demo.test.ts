import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';

const run = promisify(execFile);
const cli = ['--disable-proto=throw', 'dist/cli/cli.js'];

/** Starts the demo and returns what it printed until it was ready. */
async function demo(t: Test, args: readonly string[]): Promise<string> {
  const child: ChildProcess = spawn('node', [...cli, 'demo', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  });
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes('Stop with Ctrl-C.') || text.endsWith('}\n')) break;
  }
  return text;
}

t.test('every printed curl line gives what is said above it', async (t) => {
  const text = await demo(t, []);
  const tries = [...text.matchAll(/^# (\d{3}): (.*)\n(.*)$/gm)];
  t.equal(tries.length, 7);
  for (const [, status = '', why = '', line = ''] of tries) {
    const { stdout } = await run('bash', ['-c', line]);
    if (status === '429')
      t.match(stdout, /^(200 ){10,19}429 ((?:200|429) )*\n$/, why); // on a slow machine the tier refills a little meanwhile
    else t.match(stdout, new RegExp(`^HTTP/1.1 ${status} `), `${status}: ${why}`);
  }
  const tail = /^npx memgate (audit tail .*)$/m.exec(text)?.[1] ?? '';
  const { stdout } = await run('bash', ['-c', `node ${cli.join(' ')} ${tail}`]);
  for (const type of ['authorization.allowed', 'authorization.denied', 'rate_limit.exceeded']) t.match(stdout, type);
  t.match(stdout, /authorization\.denied .* space=alpha/, 'which space');
  t.notMatch(stdout, /engram_key_[a-z0-9]{16}_/, 'no credential in the records');
});

t.test('--format json prints one line of facts and nothing else', async (t) => {
  const text = await demo(t, ['--format', 'json', '--tier', 'unlimited']);
  t.equal(text.split('\n').length, 2);
  const facts = JSON.parse(text) as { readonly keys: Record<string, string> } & Record<string, string>;
  t.strictSame(Object.keys(facts), ['gateway', 'admin', 'probes', 'upstream', 'data_dir', 'audit_dir', 'keys']);
  t.strictSame(Object.keys(facts.keys), [
    'alpha_writer',
    'alpha_reader',
    'beta_writer',
    'all_spaces',
    'admin',
    'free_tier',
  ]);
  const ask = async (base: string | undefined, path: string, key: string | undefined): Promise<Response> =>
    fetch(`${base ?? ''}${path}`, { headers: { authorization: `Bearer ${key ?? ''}`, 'x-memory-space': 'alpha' } });
  const unlimited = await ask(facts['gateway'], '/api/v1/memories', facts.keys['alpha_reader']);
  t.equal(unlimited.status, 200);
  t.equal(unlimited.headers.get('x-ratelimit-limit'), null, 'an unlimited tier has nothing to report');
  const free = await ask(facts['gateway'], '/api/v1/memories', facts.keys['free_tier']);
  t.equal(free.headers.get('x-ratelimit-limit'), '60');
  t.equal((await ask(facts['gateway'], '/api/v1/memories', facts.keys['admin'])).status, 403, 'no memory right');
  t.equal((await ask(facts['admin'], '/health/detailed', facts.keys['admin'])).status, 200);
  t.equal((await ask(facts['admin'], '/health/detailed', facts.keys['all_spaces'])).status, 403);
});
