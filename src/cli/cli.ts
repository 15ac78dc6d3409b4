#!/usr/bin/env node
import { CommanderError } from 'commander';
import { messageOf } from '../base/log.js';
import { CommandFailure } from './print.js';
import { buildProgram } from './program.js';

const usage = 2;

// Whoever reads the answer may have seen enough of it, as `head` does.
process.stdout.on('error', (fault: NodeJS.ErrnoException) => {
  if (fault.code === 'EPIPE') process.exit(0);
  throw fault;
});

try {
  await buildProgram().parseAsync(process.argv);
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? 0 : usage; // commander has said what is wrong
  } else {
    process.stderr.write(`memgate: ${messageOf(thrown)}\n`);
    process.exitCode = thrown instanceof CommandFailure ? thrown.exitCode : 1;
  }
}
