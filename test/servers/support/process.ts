import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export interface ServerOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Finds the port in what the server says; its first group. */
  readonly port: RegExp;
}

const startMsMax = 60_000;
const stopMsMax = 8_000;
const guard = fileURLToPath(new URL('guard.mjs', import.meta.url));

/** Starts a real server, waits until it says its port, and ends it with the test: also where the test is killed, by the guard before it. */
export function startServer(t: Test, { program, args, cwd, env = {}, port }: ServerOptions): Promise<number> {
  const child = spawn(process.execPath, [guard, program, ...args], {
    cwd,
    detached: true, // the first of a group, which the guard ends
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env },
  });
  let said = '';
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await ended;
    clearTimeout(timer);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${program} said no port: ${said}`)), startMsMax);
    const heard = (text: string): void => {
      said += text;
      const found = port.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(Number(found));
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', heard);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${program} ended: ${said}`)));
  });
}
