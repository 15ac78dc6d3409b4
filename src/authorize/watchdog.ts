import { Worker } from 'node:worker_threads';

/** Told when an evaluation begins and ends. */
export interface Watchdog {
  enter(): void;
  leave(): void;
  /** Ends the watching thread. */
  stop(): Promise<void>;
}

/** When to give up. */
export interface WatchdogOptions {
  /** An evaluation that runs longer ends the process. */
  readonly limitMs: number;
}

/** Exit code of a process that the watchdog ended (EX_SOFTWARE). */
export const watchdogExitCode = 70;

// Looks, not milliseconds, are counted: a process that was suspended must not be ended when it wakes up.
const looks = 8;

/*
 * The source of the thread. It stands here as text because the same source must run compiled and under the test loader,
 * which give files different names. Only a debugger's session can end the main thread with an exit code while
 * that thread is inside an evaluation; where this does not work within a second, the process is killed.
 */
const source = `
const { workerData } = require('node:worker_threads');
const beat = new Int32Array(workerData.beat);
let seen = 0;
let count = 0;
setInterval(() => {
  const now = Atomics.load(beat, 0);
  count = now === seen && now % 2 !== 0 ? count + 1 : 0;
  seen = now;
  if (count === workerData.looks) end();
}, workerData.everyMs);
function end() {
  const line = { level: 60, time: new Date().toISOString(), limit_ms: workerData.limitMs, msg: 'policy.stuck' };
  require('node:fs').writeSync(2, JSON.stringify(line) + '\\n');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1000);
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.evaluate', { expression: 'process.reallyExit(' + workerData.exitCode + ')' });
}
`;

/** Starts a thread that ends the process with exit code 70 and one log line when an evaluation does not come back. */
export function startWatchdog({ limitMs }: WatchdogOptions): Watchdog {
  const beat = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const everyMs = Math.max(1, Math.round(limitMs / looks));
  const workerData = { beat, everyMs, looks, limitMs, exitCode: watchdogExitCode };
  const worker = new Worker(source, { eval: true, workerData, execArgv: [], env: {} });
  worker.unref();
  const view = new Int32Array(beat);
  return {
    enter: () => void Atomics.add(view, 0, 1), // odd: inside
    leave: () => void Atomics.add(view, 0, 1),
    stop: async () => {
      await worker.terminate();
    },
  };
}
