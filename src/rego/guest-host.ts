import { Worker } from 'node:worker_threads';
import { no, ok } from '../base/result.js';
import { withDeadline } from './deadline.js';
import type { FromGuest } from './guest-worker.js';
import type { Answer, CompilerBounds } from './port.js';
import { compilerProblem } from './problems.js';
import { ended } from './run.js';

// The guest's own memory is bounded in the artefact; this is for the JavaScript around it.
const workerMegabytesMax = 128;
// Go keeps its own stacks, yet calls of the guest are calls of the thread.
const stackMegabytes = 16;

/** One worker at most: started when there is a call, ended when there was none for a while, and when a call takes too long. */
export class GuestHost {
  readonly #module: WebAssembly.Module;
  readonly #bounds: CompilerBounds;
  readonly #idleMs: number;
  readonly #closing = new AbortController();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(module: WebAssembly.Module, bounds: CompilerBounds, idleMs: number) {
    this.#module = module;
    this.#bounds = bounds;
    this.#idleMs = idleMs;
  }

  /** One call after the other. @returns the answer's text */
  call(text: string): Promise<Answer<string>> {
    const answer = this.#queue.then(() =>
      withDeadline(this.#bounds.callMs, this.#closing.signal, (signal) => this.#call(text, signal)),
    );
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#end();
  }

  async #call(text: string, signal: AbortSignal): Promise<Answer<string>> {
    clearTimeout(this.#idle);
    const said = await this.#ask(text, signal);
    if (said.kind === 'answer') {
      this.#rest();
      return said.bytes.length > this.#bounds.outputBytes
        ? no([
            compilerProblem(
              'compiler_output',
              `the compiler wrote more than ${String(this.#bounds.outputBytes)} bytes`,
            ),
          ])
        : ok(new TextDecoder().decode(said.bytes));
    }
    await this.#end();
    if (signal.aborted) return no([ended(signal.reason)]);
    const code = said.kind === 'failed' && said.isMemory ? 'compiler_memory' : 'compiler_failed';
    return no([
      compilerProblem(code, said.kind === 'failed' ? `the compiler ${said.message}` : 'the compiler fell silent'),
    ]);
  }

  async #ask(text: string, signal: AbortSignal): Promise<FromGuest> {
    if (this.#worker === null) {
      this.#worker = this.#start();
      const first = await heard(this.#worker, signal);
      if (first.kind !== 'ready') return first;
    }
    this.#worker.ref();
    const bytes = new TextEncoder().encode(text);
    this.#worker.postMessage(bytes, [bytes.buffer]);
    return heard(this.#worker, signal);
  }

  #start(): Worker {
    // The thread runs the neighbour of this very file, so that sources under the test runner and built files both work.
    const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    return new Worker(new URL(`./guest-worker.${suffix}`, import.meta.url), {
      workerData: { module: this.#module },
      resourceLimits: { maxOldGenerationSizeMb: workerMegabytesMax, stackSizeMb: stackMegabytes },
    });
  }

  /** A worker that rests keeps nobody from ending, and ends itself after a while. */
  #rest(): void {
    this.#worker?.unref();
    this.#idle = setTimeout(() => void this.#end(), this.#idleMs).unref();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }
}

/** The next thing that a worker says; a worker that ends, or must, has failed. */
function heard(worker: Worker, signal: AbortSignal): Promise<FromGuest> {
  return new Promise((resolve) => {
    const settle = (said: FromGuest): void => {
      worker.off('message', settle).off('error', onError).off('exit', onEnd);
      signal.removeEventListener('abort', onEnd);
      resolve(said);
    };
    const onError = ({ message }: Error): void => {
      settle({ kind: 'failed', message: `broke off: ${message}`, isMemory: false });
    };
    const onEnd = (): void => {
      settle({ kind: 'failed', message: 'ended', isMemory: false });
    };
    worker.on('message', settle).on('error', onError).on('exit', onEnd);
    signal.addEventListener('abort', onEnd);
    if (signal.aborted) onEnd();
  });
}
