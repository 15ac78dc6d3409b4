import { spawn, type ChildProcess } from 'node:child_process';

const stopMsMax = 5_000;

// Reads from the pipe that we hold: when we end, however that is, the pipe ends, and the program with it.
const leash = `
exec 3<&0
"$0" "$@" 3<&- </dev/null &
program=$!
{ read -r _ <&3; kill "$program"; } 2>/dev/null &
wait "$program"
`;

/** A program that does not outlive us, not even when we are killed. */
export class Leashed {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn('/bin/sh', ['-c', leash, program, ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // a group of its own, so that all of it can be killed
    });
    this.#child.stdin?.on('error', () => undefined); // it has ended by itself
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#kill(), stopMsMax);
    await this.#ended;
    clearTimeout(timer);
  }

  #kill(): void {
    if (this.#child.pid !== undefined && this.isAlive) process.kill(-this.#child.pid, 'SIGKILL');
  }
}
