import { spawn } from 'node:child_process';
import type { Test } from 'tap';
import { isInstalled, leaveOut } from './environment.js';

export interface SlowAttack {
  /** `headers`: heads that never end. `body`: bodies that hardly go on. */
  readonly kind: 'headers' | 'body';
  readonly url: URL;
  readonly connections: number;
  readonly perSecond: number;
  readonly lastsS: number;
  /** Between two pieces. */
  readonly everyS: number;
  /** Further header lines of a body, as `Name: value`. */
  readonly headers?: readonly string[];
}

export function hasSlowHttpTest(t: Test): boolean {
  const isThere = isInstalled('slowhttptest');
  if (!isThere) leaveOut(t, 'slowhttptest is not installed');
  return isThere;
}

const graceS = 15;

/** The tool that everybody tests slow clients with. It ends by itself: after its time, or when all of its connections are closed. */
export function startSlowHttpTest(t: Test, attack: SlowAttack): Promise<void> {
  const { kind, url, connections, perSecond, lastsS, everyS, headers = [] } = attack;
  // It takes no header lines of ours, and writes the content type as it is given.
  const type = ['application/json', ...headers].join('\r\n');
  const figures = { c: connections, r: perSecond, l: lastsS, i: everyS };
  const child = spawn(
    'slowhttptest',
    [
      kind === 'headers' ? '-H' : '-B',
      ...Object.entries(figures).flatMap(([name, value]) => [`-${name}`, String(value)]),
      ...(kind === 'body' ? ['-s', '100000', '-x', '4', '-f', type] : ['-x', '8']),
      ...['-v', '1', '-u', url.href],
    ],
    { stdio: 'ignore' },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const timer = setTimeout(() => child.kill('SIGKILL'), (lastsS + graceS) * 1_000);
  return new Promise((resolve) => {
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
