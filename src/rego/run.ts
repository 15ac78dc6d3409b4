import { execFile } from 'node:child_process';
import { no, ok, type Result } from '../base/result.js';
import type { RegoProblem } from './port.js';
import { compilerProblem } from './problems.js';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly input?: string;
  readonly outputBytes: number;
  /** Ends the program; a `TimeoutError` as its reason is told as such. */
  readonly signal: AbortSignal;
}

/** Runs a program without a shell and without our environment, until it ends or is ended. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, input = '', outputBytes, signal }: RunOptions,
): Promise<Result<Ran, readonly RegoProblem[]>> {
  const options = { cwd, signal, env: {}, encoding: 'utf8', maxBuffer: outputBytes, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    const child = execFile(program, args, options, (fault, stdout, stderr) => {
      const code = fault === null ? 0 : fault.code;
      if (typeof code === 'number') resolve(ok({ code, stdout, stderr }));
      else resolve(no([endOf(code, outputBytes, signal)]));
    });
    child.stdin?.on('error', () => undefined); // it may end before it has read everything; its exit says more
    child.stdin?.end(input);
  });
}

function endOf(code: string | null | undefined, outputBytes: number, { aborted, reason }: AbortSignal): RegoProblem {
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return compilerProblem('compiler_output', `the compiler wrote more than ${String(outputBytes)} bytes`);
  if (aborted) return ended(reason);
  return compilerProblem(
    'compiler_failed',
    typeof code === 'string' ? `the compiler cannot be run: ${code}` : 'the compiler was ended from outside',
  );
}

/** Why a call was ended before its answer. */
export const ended = (reason: unknown): RegoProblem =>
  reason instanceof DOMException && reason.name === 'TimeoutError'
    ? compilerProblem(
        'compiler_timeout',
        'took longer than a call of the compiler may: does the policy come to an end?',
      )
    : compilerProblem('compiler_failed', 'the compiler was closed');
