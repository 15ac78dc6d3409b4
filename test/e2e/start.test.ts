import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { freshBuild } from '../wire/support/build.js';

await freshBuild();

const readyMsMax = 60_000;

t.test('the first command of the README prints a line to try for each thing it promises, and ends', async (t) => {
  const child = spawn('npm', ['start', '--silent', '--', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // so that its whole group can be ended
  });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL');
    await ended;
  });
  let [text, errors] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`not ready in time: ${text}${errors}`));
    }, readyMsMax);
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      then();
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('Stop with Ctrl-C.')) settle(resolve);
    });
    child.once('exit', (code) => {
      settle(() => {
        reject(new Error(`ended with ${String(code)}: ${errors}`));
      });
    });
  });
  t.strictSame(
    [...text.matchAll(/^# (\d{3}): .*\ncurl .*http:\/\/127\.0\.0\.1:\d+\//gm)].map(([, status]) => status),
    ['401', '201', '200', '403', '403', '400', '429'],
  );
  t.match(text, /^npx memgate audit tail /m);
  process.kill(-(child.pid ?? 0), 'SIGINT'); // what Ctrl-C does
  await ended;
  t.ok(child.exitCode === 0 || child.signalCode === 'SIGINT', 'npm passes on how it ended');
});
