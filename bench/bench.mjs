// `npm run bench`: scenarios × variants, all variants alive at once. README.md tells how and why.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname } from 'node:path';
import { checkVariant } from './checks.mjs';
import { isValid } from './compare.mjs';
import { missingOf, startUpstream, startVariant, stop, stopAll } from './live.mjs';
import { readOptions } from './options.mjs';
import { openPlace } from './place.mjs';
import { runScenario, takesPart } from './rounds.mjs';
import { scenarios as known } from './scenarios/all.mjs';
import { scenarioTable } from './table.mjs';
import { allVariants } from './variants.mjs';
import { versionsOf } from './versions.mjs';

const say = (text = '') => process.stderr.write(`${text}\n`);
const preferred = ['memgate', 'memgate-bare'];

function chosen(all, wanted, what) {
  if (wanted === null) return all;
  const unknown = wanted.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0)
    throw new Error(`no ${what} is named ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => wanted.includes(name));
}

/** Starts and checks each; what is left out is told with its reason. */
async function startAll(variants, place, options) {
  const live = [];
  const leftOut = {};
  for (const variant of variants) {
    const missing = missingOf(variant, place.vars);
    if (missing !== null) {
      leftOut[variant.name] = missing;
      say(`${variant.name}: left out: ${missing}`);
      continue;
    }
    let one = null;
    try {
      one = await startVariant(variant, place, options);
      await checkVariant(one);
      live.push(one);
      say(`${variant.name}: ready, ${Math.round(one.idle.rssMiB)} MiB`);
    } catch (error) {
      leftOut[variant.name] = error.message;
      say(`${variant.name}: LEFT OUT: ${error.message}`);
      if (one !== null) await stop(one.roots.map(({ child }) => child));
    }
  }
  return { live, leftOut };
}

function writer(file, facts) {
  const done = {};
  return (scenario, rows) => {
    done[scenario.name] = { note: scenario.note, rows };
    if (file === null) return;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ ...facts, scenarios: done })}\n`);
  };
}

const describe = ({ name, note, copyOf, idle }) => ({ name, note: note ?? `copy of ${copyOf}`, copyOf, idle });

async function run(options) {
  const scenarios = chosen(known, options.scenarios, 'scenario');
  const variants = chosen(await allVariants(), options.only, 'variant').filter(
    ({ name }) => !options.skip.includes(name),
  );
  if (options.isList) {
    for (const { name, note } of [...known, ...variants]) process.stdout.write(`${name.padEnd(22)} ${note ?? ''}\n`);
    return true;
  }
  const place = openPlace(options);
  const upstream = await startUpstream(place);
  Object.assign(place.vars, { UPSTREAM: String(upstream.port) });
  const wanted = options.isCheck
    ? variants
    : variants.filter((variant) => scenarios.some((each) => takesPart(each, variant)));
  const { live, leftOut } = await startAll(wanted, place, options);
  const isBroken = Object.values(leftOut).some((why) => !why.startsWith('missing: '));
  if (options.isCheck || live.length === 0) return !isBroken && live.length > 0;
  const facts = {
    date: new Date().toISOString(),
    options,
    versions: versionsOf(place.vars),
    machine: { cores: cpus().length, cpu: cpus()[0]?.model ?? 'unknown', kernel: release() },
    variants: live.map(describe),
    leftOut,
  };
  const save = writer(options.out, facts);
  const base = preferred.find((name) => live.some((variant) => variant.name === name)) ?? live[0].name;
  let isFine = !isBroken;
  for (const scenario of scenarios) {
    const rows = await runScenario(scenario, live, { options, say, save: (some) => save(scenario, some) });
    process.stdout.write(`${scenarioTable({ scenario, variants: live, rows, base })}\n`);
    isFine &&= rows.every(isValid);
  }
  if (options.cpuProf !== null) say(`profiles go to ${options.cpuProf}; the figures hold what profiling costs`);
  return isFine;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stopAll().then(() => process.exit(130)));
try {
  process.exitCode = (await run(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stopAll();
}
