import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environment } from '../base/env.js';
import { no } from '../base/result.js';
import type { AsideAnswer, AsideQuestion } from './compile-worker.js';
import type { Answer, RegoSources } from './port.js';
import { compilerProblem } from './problems.js';
import { sourceRevision } from './sources.js';

/** What the process needs at most: the compiler's code and memory, and a JavaScript process around it. */
export const compileBytes = 448 * 1_048_576;

// JavaScript of that process; the compiler's own memory is bounded in the artefact.
const heapMegabytes = 128;
/** Check, test and build on a slow machine take a tenth of it; a policy without an end is ended by it. */
const usualMs = 120_000;
const farewellMs = 1_000;

/**
 * Checks, tests and builds sources in a process of its own: what they cost is given back when it ends, and a policy
 * that takes all memory or all time takes only that process.
 *
 * @returns the bundle; its revision is the digest of the sources
 */
export function compileAside(sources: RegoSources, totalMs = usualMs): Promise<Answer<Buffer>> {
  const child = start();
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(no([compilerProblem('compiler_timeout', `was not compiled and tested within ${String(totalMs)} ms`)]));
      end(child);
    }, totalMs);
    const settle = (answer: Answer<Buffer>): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    child.once('message', (answer) => {
      settle(answer as AsideAnswer);
    });
    child.once('error', ({ message }) => {
      settle(no([compilerProblem('compiler_failed', `the process that compiles cannot be started: ${message}`)]));
    });
    child.once('exit', (code, signal) => {
      settle(
        no([compilerProblem('compiler_failed', `the process that compiles ended with ${signal ?? String(code)}`)]),
      );
    });
    const question: AsideQuestion = { sources, revision: sourceRevision(sources), callMs: totalMs };
    child.send(question, () => undefined); // it may be gone; its exit says so
  });
}

function start(): ChildProcess {
  const file = fileURLToPath(new URL('./compile-worker.js', import.meta.url)); // of the built program
  const place = environment('TMPDIR');
  return fork(file, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [`--max-old-space-size=${String(heapMegabytes)}`, '--disable-proto=throw'],
    env: { PATH: environment('PATH') ?? '', ...(place === undefined ? {} : { TMPDIR: place }) },
  });
}

/** Lets it end what it has started itself, and then makes sure. */
function end(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), farewellMs);
  child.once('exit', () => {
    clearTimeout(timer);
  });
}
