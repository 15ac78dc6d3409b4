// `node guard.mjs PROGRAM ARGUMENT…` runs a program, and ends it with everything that it has started as soon as its own standard input ends.
// That happens whenever the process that holds the other end is gone, however it went: no handler of its own is needed, nor has it time for one.
import { spawn } from 'node:child_process';

const [program = '', ...args] = process.argv.slice(2);
const graceMs = 5_000;
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
const endAll = () => process.kill(-process.pid, 'SIGKILL'); // the guard is the first of a group of its own, so that nobody else is in it

process.stdin
  .on('error', () => undefined)
  .on('close', endAll)
  .resume();
process.on('SIGTERM', () => {
  child.kill('SIGTERM');
  setTimeout(endAll, graceMs).unref();
});
child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(127);
});
child.on('exit', () => endAll());
