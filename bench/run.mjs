// One run: starts and checks the variants, puts them through the scenarios, keeps every row.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { checkVariant } from './checks.mjs';
import { loadCore, missingOf, startUpstream, startVariant, stop } from './live.mjs';
import { openPlace } from './place.mjs';
import { roundsIn, runRounds, takesPart, wantsMore } from './rounds.mjs';
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

/** Starts the variants of a group, gives them to `use`, and stops them. Resolves to those that came up. */
async function whileAlive(group, place, { use, result, ...rest }) {
  const { live, leftOut } = await startAll(group.variants, place, rest);
  result.variants = merged(result.variants, live.map(describe));
  result.leftOut = merged(result.leftOut, leftOut);
  if (live.length > 0) await use(live);
  await stop(live.flatMap(({ roots }) => roots.map(({ child }) => child)));
  return group.variants.filter(({ name }) => live.some((variant) => variant.name === name));
}

/** All rounds of the scenarios of a group. Processes are replaced on the way: two of the same program never cost quite the same. */
async function runGroup(group, place, { options, say, done, result }) {
  const rowsOf = (scenario) => (result.scenarios[scenario.name] ??= { note: scenario.note, rows: [] }).rows;
  const wants = (scenario) =>
    wantsMore(group.variants, rowsOf(scenario), { round: roundsIn(rowsOf(scenario)), ...options });
  let variants = group.variants;
  for (let start = 0; variants.length > 0 && group.scenarios.some(wants); start += 1) {
    const inStart = { ...place, directory: join(place.directory, `${group.index}-${start}`) };
    const use = async (live) => {
      for (const scenario of group.scenarios.filter(wants))
        await runRounds(scenario, live, {
          options,
          rows: rowsOf(scenario),
          say,
          save: () => save(result, options.out),
        });
    };
    variants = await whileAlive({ variants }, inStart, { use, result, options, say });
  }
  for (const scenario of group.scenarios) if (rowsOf(scenario).length > 0) done(scenario, result);
}

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
  if (options.isCheck) await whileAlive({ variants }, place, { use: () => undefined, result, options, say });
  else
    for (const [index, group] of groupsOf(scenarios, variants).entries())
      await runGroup({ ...group, index }, place, { options, say, done, result });
  return result;
}
