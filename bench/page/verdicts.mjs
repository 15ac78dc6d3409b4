// The targets against what was measured.
import { latencyTarget, memoryTarget, ratioTargets, roundsMin, verdictOf } from '../targets.mjs';
import { number, spreadText, table } from './markdown.mjs';

function ratioCell(scenario, { a, b, must, aims }) {
  const found = scenario?.ratios.find((ratio) => ratio.a === a && ratio.b === b);
  if (found === undefined) return { text: 'not measured', verdict: null };
  if (!found.isResolved) return { text: `not resolved (${found.why})`, verdict: null };
  const text = spreadText(found, 2);
  if (found.n < roundsMin) return { text: `${text}, only ${found.n} rounds`, verdict: null };
  const verdict = verdictOf(found.median, { must, aims });
  return { text: verdict === 'missed' ? `**${text}**` : text, verdict };
}

/** The worst of what was resolved; what was not is said. */
function together(cells) {
  const verdicts = cells.flatMap(({ verdict }) => verdict ?? []);
  const open = cells.length - verdicts.length;
  if (verdicts.length === 0) return 'open';
  const rank = (verdict) =>
    verdict === 'missed' ? Infinity : verdict === 'must met' ? 1_000 : Number(verdict.split(' ')[1]);
  const [worst] = verdicts.toSorted((one, other) => rank(other) - rank(one));
  const missed = verdicts.filter((verdict) => verdict === 'missed').length;
  const text = missed > 0 && missed < verdicts.length ? `missed in ${missed} of ${verdicts.length}` : worst;
  return open === 0 ? text : `${text}; ${open} of ${cells.length} open`;
}

export function ratioTable({ scenarios }) {
  const columns = ratioTargets[0].scenarios;
  const rows = ratioTargets.map((target) => {
    const cells = columns.map((name) => ratioCell(scenarios[name], target));
    const limits = `≤ ${number(target.must, 2)}`;
    const aims = target.aims.map((aim) => number(aim, 2)).join(', ');
    return [target.text, limits, aims, ...cells.map(({ text }) => text), together(cells)];
  });
  return table(['against', 'must', 'aim', ...columns, 'verdict'], rows);
}

/** Of memory and latency: figures, not ratios. */
export function figureTable({ scenarios }) {
  const rows = [...memoryRows(scenarios[memoryTarget.scenario]), ...latencyRows(scenarios[latencyTarget.scenario])];
  return table(['what', 'must', 'aim', 'measured', 'verdict'], rows);
}

function memoryRows(scenario) {
  const { variant, mustMiB, aimMiB } = memoryTarget;
  const what = 'RSS under load, 64 connections, after 100 cold keys';
  const found = scenario?.variants[variant];
  const limits = [`≤ ${mustMiB} MiB`, `${aimMiB} MiB`];
  if (found === undefined || found.n === 0) return [[what, ...limits, 'not measured', 'open']];
  const { median, most } = found.rssMiB;
  const verdict = verdictOf(most, { must: mustMiB, aims: [aimMiB] });
  return [[what, ...limits, `${number(median, 0)} MiB, at most ${number(most, 0)}`, verdict]];
}

const ms = ({ median, low, high }) => `${spreadText({ median: median / 1e3, low: low / 1e3, high: high / 1e3 }, 2)} ms`;

/** A latency is judged only where a variant and its copy differ by less than half of what is allowed. */
function latencyVerdict(spread, alike, { must, aim }) {
  if (!Number.isFinite(alike?.median)) return 'open: no A/A pair';
  const offMs = Math.abs(alike.median) / 1e3;
  if (offMs > must / 2) return `not resolved: the A/A pair is ${number(offMs, 2)} ms apart`;
  return spread.n < roundsMin ? `open: only ${spread.n} rounds` : verdictOf(spread.median / 1e3, { must, aims: [aim] });
}

function latencyRows(scenario) {
  const { variant, strict, base, p50, p99 } = latencyTarget;
  const added = (a, b) => scenario?.added.find((each) => each.a === a && each.b === b);
  const [buffered, difference, alike] = [
    added(variant, base),
    added(strict, variant),
    added(strict, `${strict}-again`),
  ];
  const rows = [
    ['p50', p50, 'p50Us'],
    ['p99', p99, 'p99Us'],
  ].map(([name, limit, field]) => {
    const what = `added ${name} at 1,000 requests/s, audit buffered`;
    const limits = [`≤ ${limit.must} ms`, `${limit.aim} ms`];
    if (!Number.isFinite(buffered?.[field].median)) return [what, ...limits, 'not measured', 'open'];
    return [what, ...limits, ms(buffered[field]), latencyVerdict(buffered[field], alike?.[field], limit)];
  });
  if (Number.isFinite(difference?.p50Us.median)) {
    const { syncP50Us, syncP99Us } = scenario.variants[base];
    const disk = `the disk's own \`fdatasync\`: p50 ${number(syncP50Us / 1e3, 2)}, p99 ${number(syncP99Us / 1e3, 2)} ms`;
    rows.push(['strict − buffered, p50', '', '', ms(difference.p50Us), disk]);
    rows.push(['strict − buffered, p99', '', '', ms(difference.p99Us), disk]);
  }
  return rows;
}
