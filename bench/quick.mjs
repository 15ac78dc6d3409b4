// `npm run bench:quick`: what the whole way of a request costs against bare forwarding, in the same run. Never a time, only that ratio:
// it fails when an answer is wrong, or when the ratio is far above the recorded one.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isValid, pairedRatios } from './compare.mjs';
import { stopAll } from './live.mjs';
import { readOptions } from './options.mjs';
import { inRepository } from './place.mjs';
import { chosen, runBench } from './run.mjs';
import { scenarios } from './scenarios/all.mjs';
import { spread } from './stats.mjs';
import { allVariants } from './variants.mjs';

const recordedFile = inRepository('bench/results/latest.json');
/** How far above the recorded ratio is far: on a busy machine one run differs from the next by a third, and bare forwarding is a third cheaper than it was then. */
const farAbove = 2;
const roundsOfQuick = '6';
const fixed = [
  '--rounds',
  roundsOfQuick,
  '--rounds-max',
  roundsOfQuick,
  '--seconds',
  '1',
  '--warm',
  '8', // in its first seconds a process compiles, which is no cost of a request
  '--patience',
  '1',
];

const say = (text) => process.stderr.write(`${text}\n`);

export function verdict(rows, recorded) {
  const wrong = rows.filter((row) => !isValid(row)).length;
  const { median, low, high, n } = spread(pairedRatios(rows, 'memgate', 'memgate-bare'));
  const figure = `${median.toFixed(2)} [${low.toFixed(2)}–${high.toFixed(2)}], n ${n}`;
  if (wrong > 0) return { isFine: false, text: `${wrong} rows with wrong answers` };
  if (n === 0) return { isFine: false, text: 'no round in which both were measured' };
  if (recorded === undefined) return { isFine: true, text: `memgate / memgate-bare: ${figure}; nothing recorded` };
  const text = `memgate / memgate-bare: ${figure}; recorded ${recorded.toFixed(2)}, at most ${(recorded * farAbove).toFixed(2)}`;
  return { isFine: median <= recorded * farAbove, text };
}

const programs = ['nginx', 'wrk', 'taskset'];
const inPath = (name) =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].some((place) => existsSync(join(place, name)));

async function main() {
  const missing = programs.filter((name) => !inPath(name));
  if (missing.length > 0) {
    process.stdout.write(`left out: what a request costs beside bare forwarding (no ${missing.join(', ')} here)\n`);
    return true;
  }
  const recorded = existsSync(recordedFile) ? JSON.parse(readFileSync(recordedFile, 'utf8')).scenarios : {};
  let isFine = true;
  const done = ({ name }, result) => {
    const told = verdict(result.scenarios[name].rows, recorded[name]?.againstBare);
    process.stdout.write(`${name}: ${told.isFine ? '' : 'FAILED: '}${told.text}\n`);
    isFine &&= told.isFine;
  };
  const variants = chosen(allVariants, ['memgate', 'memgate-bare'], 'variant');
  const plan = { variants, scenarios: chosen(scenarios, ['get-64', 'post-64'], 'scenario') };
  const result = await runBench({ ...plan, options: readOptions(fixed), say, done });
  for (const { name, why, isBroken } of result.leftOut)
    process.stdout.write(`${isBroken ? 'FAILED' : 'left out'}: ${name}: ${why}\n`);
  return isFine && !result.leftOut.some(({ isBroken }) => isBroken);
}

if (process.argv[1] === inRepository('bench/quick.mjs')) {
  try {
    process.exitCode = (await main()) ? 0 : 1;
  } catch (error) {
    say(`bench: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await stopAll();
  }
}
