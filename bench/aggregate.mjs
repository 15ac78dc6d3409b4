// From the rows of a run to what is kept of it: small enough to be committed, enough to write the page from.
import { compare, isUsable, isValid, pairsOf, pairedRatios } from './compare.mjs';
import { median, quantile, spread } from './stats.mjs';
import { otherRatios, ratioTargets } from './targets.mjs';

const round = (value, digits = 4) => (Number.isFinite(value) ? Number(value.toPrecision(digits)) : null);
const rounded = ({ median: middle, low, high, n }) => ({
  median: round(middle),
  low: round(low),
  high: round(high),
  n,
});

function summaryOf(rows) {
  const good = rows.filter(isUsable);
  const of = (field) => good.map((row) => row[field]).filter((value) => value !== undefined);
  const roles = Object.keys(good[0]?.parts ?? {});
  const optional = ['p50Us', 'p99Us', 'reloadMs', 'syncP50Us', 'syncP99Us', 'generatorLateP99Us'].filter(
    (field) => of(field).length > 0,
  );
  return {
    n: good.length,
    disturbed: rows.filter((row) => isValid(row) && !isUsable(row)).length,
    wrong: rows.filter((row) => !isValid(row)).length,
    cpuUs: rounded(spread(of('cpuUs'))),
    parts: Object.fromEntries(roles.map((role) => [role, round(median(good.map((row) => row.parts[role])))])),
    rps: round(median(of('rps'))),
    rssMiB: { median: round(median(of('rssMiB'))), most: round(quantile(of('rssMiB'), 1)) },
    pssMiB: round(median(of('pssMiB'))),
    foreign: round(median(of('foreign'))),
    ...Object.fromEntries(optional.map((field) => [field, round(median(of(field)))])),
  };
}

/** What `a` adds to `b`, row by row of the same rounds, in µs. */
function addedOf(rows, a, b) {
  const below = new Map(rows.filter((row) => row.variant === b && isUsable(row)).map((row) => [row.round, row]));
  const mine = rows.filter((row) => row.variant === a && isUsable(row) && below.has(row.round));
  const of = (field) => rounded(spread(mine.map((row) => row[field] - below.get(row.round)[field])));
  return { a, b, p50Us: of('p50Us'), p99Us: of('p99Us') };
}

/** Against the upstream itself; and against memgate, which tells what a strict record adds, and how far a copy is off. */
function allAdded(rows, present) {
  if (!present.includes('direct')) return [];
  const others = present.filter((name) => name !== 'direct');
  const within = others.filter(
    (name) => name !== 'memgate' && name.startsWith('memgate-') && present.includes('memgate'),
  );
  return [
    ...others.map((name) => addedOf(rows, name, 'direct')),
    ...within.map((name) => addedOf(rows, 'memgate', name)),
  ];
}

function ratiosOf(variants, rows, present) {
  return [...ratioTargets, ...otherRatios]
    .filter(({ a, b }) => present.includes(a) && present.includes(b))
    .map(({ a, b }) => {
      const { isResolved, why, ratio } = compare({ variants, rows }, a, b);
      return { a, b, isResolved, ...(isResolved ? rounded(ratio) : { why }) };
    });
}

function scenarioOf({ note, rows }, { date, options, versions, machine, variants }) {
  const present = variants.map(({ name }) => name).filter((name) => rows.some((row) => row.variant === name));
  const bare = pairedRatios(rows, 'memgate', 'memgate-bare');
  return {
    note,
    date,
    seconds: options.seconds,
    foreignMax: Number.isFinite(options.foreignMax) ? options.foreignMax : null,
    versions,
    machine,
    variants: Object.fromEntries(present.map((name) => [name, summaryOf(rows.filter((row) => row.variant === name))])),
    pairs: pairsOf(variants, rows).map(({ name, copyOf, ...pair }) => ({ name, copyOf, ...rounded(pair) })),
    ratios: ratiosOf(variants, rows, present),
    added: allAdded(rows, present),
    ...(bare.length === 0 ? {} : { againstBare: round(median(bare)) }),
  };
}

/** @param before what earlier runs left; a scenario of this run takes the place of an earlier one */
export function aggregate(result, before = { notes: {}, idleMiB: {}, leftOut: {}, scenarios: {} }) {
  const scenarios = Object.entries(result.scenarios).map(([name, scenario]) => [name, scenarioOf(scenario, result)]);
  const table = (of) => Object.fromEntries(result.variants.map((variant) => [variant.name, of(variant)]));
  const leftOut = { ...before.leftOut, ...Object.fromEntries(result.leftOut.map(({ name, why }) => [name, why])) };
  for (const { name } of result.variants) delete leftOut[name];
  return {
    notes: { ...before.notes, ...table(({ note }) => note) },
    idleMiB: { ...before.idleMiB, ...table(({ idle }) => round(idle.rssMiB)) },
    leftOut,
    scenarios: { ...before.scenarios, ...Object.fromEntries(scenarios) },
  };
}
