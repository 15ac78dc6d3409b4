// `npm run bench`: scenarios × variants, all variants alive at once. README.md tells how and why.
import { isValid } from './compare.mjs';
import { stopAll } from './live.mjs';
import { readOptions } from './options.mjs';
import { chosen, runBench } from './run.mjs';
import { scenarios as known } from './scenarios/all.mjs';
import { scenarioTable } from './table.mjs';
import { allVariants } from './variants.mjs';

const say = (text) => process.stderr.write(`${text}\n`);
const preferred = ['memgate', 'memgate-own', 'memgate-bare'];

async function main(options) {
  const scenarios = chosen(known, options.scenarios, 'scenario');
  const variants = chosen(allVariants, options.only, 'variant').filter(({ name }) => !options.skip.includes(name));
  if (options.isList) {
    for (const { name, note } of [...known, ...variants]) process.stdout.write(`${name.padEnd(22)} ${note ?? ''}\n`);
    return true;
  }
  const done = ({ name }, { variants: live, scenarios: results }) => {
    const { note, rows } = results[name];
    const base = preferred.find((each) => rows.some((row) => row.variant === each)) ?? rows[0]?.variant;
    process.stdout.write(`${scenarioTable({ name, note, variants: live, rows, base })}\n`);
  };
  const result = await runBench({ variants, scenarios, options, say, done });
  if (options.cpuProf !== null) say(`profiles go to ${options.cpuProf}; the figures hold what profiling costs`);
  const isWhole = result.variants.length > 0 && !result.leftOut.some(({ isBroken }) => isBroken);
  return isWhole && Object.values(result.scenarios).every(({ rows }) => rows.every(isValid));
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stopAll().then(() => process.exit(130)));
try {
  process.exitCode = (await main(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stopAll();
}
