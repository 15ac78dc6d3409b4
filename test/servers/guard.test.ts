import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startServer } from './support/process.js';

const guard = fileURLToPath(new URL('support/guard.mjs', import.meta.url));

/** Says its own id and that of a child that does nothing, and heeds no SIGTERM. */
const server = `
  const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  process.on('SIGTERM', () => {});
  setInterval(() => {}, 1000);
  console.log('port ' + process.pid + ' ' + child.pid);
`;

/** False for one that has ended and that nobody has taken note of yet. */
const isAlive = (pid: number): boolean => {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) [ZX] /.test(readFileSync(file, 'utf8'));
};

async function gone(pids: readonly number[]): Promise<boolean> {
  for (let tries = 0; tries < 100 && pids.some(isAlive); tries += 1) await sleep(50);
  return !pids.some(isAlive);
}

t.test('a server ends when whoever started it is killed, and its children with it', async (t) => {
  // Stands for a test file that is killed: it holds the other end of the guard's standard input.
  const starter = `
    const child = require('node:child_process').spawn(process.execPath, ${JSON.stringify([guard, process.execPath, '-e', server])}, { detached: true });
    child.stdout.pipe(process.stdout);
  `;
  const test = spawn(process.execPath, ['-e', starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => test.kill('SIGKILL'));
  const said = await new Promise<string>((resolve) =>
    test.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString())),
  );
  const pids = said.split(' ').slice(1).map(Number);
  t.ok(pids.length === 2 && pids.every(isAlive), `they run: ${said}`);
  test.kill('SIGKILL');
  t.ok(await gone(pids), 'and are gone');
});

t.test('startServer() ends its server with the test', async (t) => {
  let pid = 0;
  await t.test('a test that uses one', async (t) => {
    pid = await startServer(t, { program: process.execPath, args: ['-e', server], cwd: '/', port: /port (\d+)/ });
    t.ok(isAlive(pid));
  });
  t.ok(await gone([pid]));
});
