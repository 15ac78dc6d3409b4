// docs/explanation/performance.md, whole, from what was kept of the runs.
import { barsOf, chart } from './chart.mjs';
import { addedText, growthText, promisesText, scenarioTexts, variantsText, versionsText } from './tables.mjs';
import { figureTable, ratioTable } from './verdicts.mjs';

const chartScenario = 'get-64';

const method = `- All variants of a scenario are alive at once; each round loads every one of them once, every second round backwards.
  Generator and upstream are on core 0, what is measured is on core 1.
- CPU is user and system of the whole process tree from \`/proc/PID/stat\`, children that have ended included, divided by the answered requests.
  Figures are the median over the rounds and, in brackets, the middle half.
- A ratio is the median of the ratios of each round. It is told only where every A/A pair of either side (the same variant twice) has a median of
  0.95 to 1.05; a target counts as judged from 10 rounds on. Rounds went on, up to a bound, while a pair was off: that stops by the pair, never by the ratio.
- Processes were replaced by fresh ones every few rounds, as two processes of one program never cost quite the same.
- \`foreign\` is how many cores other jobs used meanwhile.
- Before any load each variant had to pass on what is allowed, unchanged, and refuse five kinds of what is not. A single wrong answer under load makes
  the row invalid and the run fail.
- memgate ran with the flags and the environment of its image, its key cached, the large policy evaluated for each request, two limits, metrics, and
  every decision synced to a real disk before the request went on. The peers have the same policy and data, and no durable audit.
- Fixed rates: requests leave on time whatever the answers do, and waiting for a connection counts.

Repeat it: [bench/README.md](../../bench/README.md). What the peers are, and in what they are not equal: [bench/peers/README.md](../../bench/peers/README.md).`;

const silent = `- Microseconds of this page hold for this machine and hour. Only ratios of one run may be quoted, with the policy named: what OPA costs follows the policy.
- Several cores, TLS, HTTP/2, networks: everything was on loopback, on one core for each variant. A second process was not measured.
- Percentiles under a closed loop (the \`get\` and \`post\` scenarios) show how a full queue waits, not what a user would see; the fixed rates do.
- Requests under way when a load ended cost and were not counted: up to one per connection, the more the slower a variant is.
- A strict record is cheaper the more requests share one sync: CPU per request falls with load. Other disks have other sync times.
- No peer makes its audit durable, and none hashes keys slowly; the peers without limits or a log do less than memgate.
- The rows \`envoy-opa*\` are not opa-envoy-plugin: no registry had it. What stands in for it does less for each request.
- Nothing here says how memgate does with your policy: measure it with your bundle and your data.`;

export function page({ latest, promises, remarks }) {
  return `<!-- Made by \`npm run bench:report\` from bench/results/: change nothing here. -->

# Performance

What memgate costs, beside what people would use instead. Processor time per request is the measure; why, and how far to trust it, stands below.

## Targets

Ratios of processor time per request, memgate with a strict, durable audit unless said otherwise. **Bold** is over the must.

${ratioTable(latest)}

${figureTable(latest)}
${remarks === null ? '' : `\n## What was missed, and why\n\n${remarks.trim()}\n`}
${latest.scenarios[chartScenario] === undefined ? '' : `![Processor time per request, GET of 1 KB at 64 connections](performance.svg)\n`}
## Latency that memgate adds

${addedText(latest)}

## Many keys, many spaces

${growthText(latest)}

## Under faults and hostile load

${promisesText(promises)}

## Method

${method}

### Variants

${variantsText(latest)}

### Versions

${versionsText(latest)}

## What the numbers do not show

${silent}

## All figures

CPU is µs per answered request; \`of which\` splits it by process. RSS is the most that was seen under load.

${scenarioTexts(latest)}
`.replaceAll(/\n{3,}/g, '\n\n');
}

export function chartOf({ scenarios }) {
  const scenario = scenarios[chartScenario];
  if (scenario === undefined) return null;
  return chart({
    title: 'Processor time per request',
    subtitle: `${scenario.note}; µs, median and middle half of the rounds; shorter is better`,
    bars: barsOf(scenario),
  });
}
