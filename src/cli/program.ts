import { Command } from 'commander';
import { version } from '../app/app.js';
import { auditCommands } from './audit.js';
import { authCommands } from './auth.js';
import { checkConfigCommand } from './check-config.js';
import { demoCommand } from './demo.js';
import { keysCommands } from './keys.js';
import { policyCommands } from './policy.js';
import { reloadCommand, rollbackCommand, statusCommand } from './process.js';
import { profileCommands } from './profile.js';
import { serveCommand } from './serve.js';

/** The whole command line; docs/reference/command-line.md is generated from it. */
export function buildProgram(): Command {
  const program = new Command('memgate')
    .description('Auth sidecar for AI-agent memory servers: verifies keys, asks policy, limits, records, forwards.')
    .version(version())
    .showHelpAfterError('(memgate --help lists the commands)')
    .exitOverride();
  serveCommand(program);
  demoCommand(program);
  checkConfigCommand(program);
  profileCommands(program);
  policyCommands(program);
  authCommands(program);
  keysCommands(program);
  auditCommands(program);
  reloadCommand(program);
  rollbackCommand(program);
  statusCommand(program);
  return program;
}
