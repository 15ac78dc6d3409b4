import { InvalidArgumentError, type Command } from 'commander';
import { startDemo, type Demo, type DemoOptions } from '../demo/demo.js';
import { endFailedStart, runUntilStopped } from './process-life.js';
import { createLogger } from '../base/log.js';
import { formatOption, type Format } from './format.js';

const portOf = (text: string): number => {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('must be a port number, 0 for a free one');
  return port;
};

/** `memgate demo` */
export function demoCommand(program: Command): void {
  program
    .command('demo')
    .description('Run a small memory server with memgate in front of it, and example keys.')
    .option('--port <number>', 'port of the gateway; 0 takes free ones for every listener', portOf, 8080)
    .option('--upstream <url>', 'use this memory server instead of the built-in one')
    .option('--data-dir <dir>', 'keep everything here; default is a directory that is removed at the end')
    .option('--audit-dir <dir>', 'directory of the audit log')
    .option('--tier <name>', 'tier of every key but free_tier', 'enterprise')
    .addOption(formatOption())
    .action(async (options: Omit<DemoOptions, 'logLevel'> & { format: Format }) => {
      const demo = await startDemo({ ...options, logLevel: 'warn' });
      if (!demo.ok) {
        endFailedStart(demo.why);
        return;
      }
      process.stdout.write(
        options.format === 'json' ? `${JSON.stringify(demo.value.facts)}\n` : linesToTry(demo.value.facts),
      );
      runUntilStopped({ stop: demo.value.stop, log: createLogger('warn') });
    });
}

function linesToTry({ gateway, admin, probes, upstream, data_dir: dataDir, keys }: Demo['facts']): string {
  const recall = `${gateway}/api/v1/memories/recall?query=tea`;
  const remember = `'${gateway}/api/v1/memories/remember' -H 'Content-Type: application/json' -d '{"content":"Alice drinks green tea"}'`;
  return `memgate listens on ${gateway} in front of the memory server on ${upstream}
operators: ${admin}   probes and metrics: ${probes}   data: ${dataDir}

Try these in another terminal:

# 401: no key
curl -i '${recall}'

# 201: the writer of alpha remembers something in alpha
curl -i ${remember} -H 'Authorization: Bearer ${keys.alpha_writer}' -H 'X-Memory-Space: alpha'

# 200: and the reader of alpha finds it
curl -i '${recall}' -H 'Authorization: Bearer ${keys.alpha_reader}' -H 'X-Memory-Space: alpha'

# 403: the reader may not write
curl -i ${remember} -H 'Authorization: Bearer ${keys.alpha_reader}' -H 'X-Memory-Space: alpha'

# 403: the writer of beta does not reach alpha
curl -i '${recall}' -H 'Authorization: Bearer ${keys.beta_writer}' -H 'X-Memory-Space: alpha'

# 400: two places that name the space and disagree
curl -i '${recall}&space=beta' -H 'Authorization: Bearer ${keys.alpha_reader}' -H 'X-Memory-Space: alpha'

# 429: the free tier has a burst of 10
curl -s -o /dev/null -w '%{http_code} ' '${recall}&n=[1-20]' -H 'Authorization: Bearer ${keys.free_tier}' -H 'X-Memory-Space: alpha'; echo

# every decision, on disk before it took effect
npx memgate audit tail -n 60 --data-dir '${dataDir}'

Stop with Ctrl-C.
`;
}
