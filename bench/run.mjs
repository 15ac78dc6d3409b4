// One run: starts and checks the variants, puts them through the scenarios, keeps every row.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { checkVariant } from './checks.mjs';
import { loadCore, missingOf, startUpstream, startVariant, stop } from './live.mjs';
import { openPlace } from './place.mjs';
import { runScenario, takesPart } from './rounds.mjs';
import { versionsOf } from './versions.mjs';

/** @throws Error for a name that nothing has */
export function chosen(all, wanted, what) {
  if (wanted === null) return all;
  const unknown = wanted.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0)
    throw new Error(`no ${what} is named ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => wanted.includes(name));
}

/** Some loads come from this process itself, so it keeps to their core, all threads of it. */
const pinSelf = () => spawnSync('taskset', ['-acp', loadCore, String(process.pid)]);

/** Starts and checks each; what is left out is told with its reason. */
async function startAll(variants, place, { options, say }) {
  const live = [];
  const leftOut = [];
  const leave = (name, why, isBroken) => {
    leftOut.push({ name, why, isBroken });
    say(`${name}: ${isBroken ? 'BROKEN' : 'left out'}: ${why}`);
  };
  for (const variant of variants) {
    const missing = missingOf(variant, place.vars);
    if (missing !== null) {
      leave(variant.name, missing, false);
      continue;
    }
    let one = null;
    try {
      one = await startVariant(variant, place, options);
      await checkVariant(one);
      live.push(one);
      say(`${variant.name}: ready, ${Math.round(one.idle.rssMiB)} MiB`);
    } catch (error) {
      leave(variant.name, error.message, true);
      if (one !== null) await stop(one.roots.map(({ child }) => child));
    }
  }
  return { live, leftOut };
}

const describe = ({ name, note, copyOf, idle }) => ({ name, note: note ?? `copy of ${copyOf}`, copyOf, idle });

function save(result, file) {
  if (file === null) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result)}\n`);
}

/** Scenarios that follow each other and have the same variants share their processes; others get fresh ones. */
export function groupsOf(scenarios, variants) {
  const groups = [];
  for (const scenario of scenarios) {
    const present = variants.filter((variant) => takesPart(scenario, variant));
    const names = present.map(({ name }) => name).join();
    if (groups.at(-1)?.names === names) groups.at(-1).scenarios.push(scenario);
    else if (present.length > 0) groups.push({ names, variants: present, scenarios: [scenario] });
  }
  return groups;
}

const factsOf = (options, vars) => ({
  date: new Date().toISOString(),
  options,
  versions: versionsOf(vars),
  machine: { cores: cpus().length, cpu: cpus()[0]?.model ?? 'unknown', kernel: release() },
});

const merged = (known, more) => [...known, ...more.filter(({ name }) => !known.some((each) => each.name === name))];

/**
 * Whoever calls it stops all processes afterwards (`stopAll`), whatever happens.
 *
 * @param plan `variants`, `scenarios` and `options` (options.mjs); `say` is told how it goes, `done(scenario, result)` when one is over
 * @returns the facts of the run and the rows of each scenario by its name
 */
export async function runBench({ variants, scenarios, options, say, done }) {
  if (options.pin !== null) pinSelf();
  const place = openPlace(options);
  const upstream = await startUpstream(place);
  Object.assign(place.vars, { UPSTREAM: String(upstream.port) });
  const result = { ...factsOf(options, place.vars), variants: [], leftOut: [], scenarios: {} };
  const groups = options.isCheck ? [{ variants, scenarios: [] }] : groupsOf(scenarios, variants);
  for (const [index, group] of groups.entries()) {
    const inGroup = { ...place, directory: join(place.directory, String(index)) };
    const { live, leftOut } = await startAll(group.variants, inGroup, { options, say });
    result.variants = merged(result.variants, live.map(describe));
    result.leftOut = merged(result.leftOut, leftOut);
    for (const scenario of group.scenarios) {
      await runScenario(scenario, live, {
        options,
        say,
        save: (rows) => {
          result.scenarios[scenario.name] = { note: scenario.note, rows };
          save(result, options.out);
        },
      });
      if (live.length > 0) done(scenario, result);
    }
    await stop(live.flatMap(({ roots }) => roots.map(({ child }) => child)));
  }
  return result;
}
