// What was measured, scenario by scenario.
import { number, spreadText, table, us } from './markdown.mjs';

const partsText = (parts) =>
  Object.keys(parts).length < 2
    ? ''
    : Object.entries(parts)
        .map(([role, value]) => `${role} ${us(value)}`)
        .join(' + ');

const ratioText = (ratio) => (ratio === undefined ? '' : ratio.isResolved ? `${spreadText(ratio, 2)}` : 'not resolved');

const pairText = ({ name, copyOf, n, ...pair }) =>
  `\`${name}\` / \`${copyOf}\` ${spreadText(pair, 2)}, n ${n}${pair.median >= 0.95 && pair.median <= 1.05 ? '' : ' (**not resolved**)'}`;

function scenarioText(name, scenario) {
  const hasLatency = Object.values(scenario.variants).some(({ p50Us }) => p50Us !== undefined);
  const reversed = (variant) => scenario.ratios.find(({ a, b }) => a === 'memgate' && b === variant);
  const rows = Object.entries(scenario.variants).map(([variant, found]) => [
    `\`${variant}\``,
    String(found.n),
    spreadText(found.cpuUs, found.cpuUs.median < 10 ? 1 : 0),
    partsText(found.parts),
    ratioText(reversed(variant)),
    ...(hasLatency ? [us(found.p50Us), us(found.p99Us)] : []),
    number(found.rssMiB.most, 0),
    number(found.foreign, 2),
  ]);
  const head = [
    'variant',
    'rounds',
    'CPU µs',
    'of which',
    'memgate ÷ it',
    ...(hasLatency ? ['p50 µs', 'p99 µs'] : []),
    'RSS MiB',
    'foreign',
  ];
  const dropped = Object.values(scenario.variants).reduce((sum, { disturbed }) => sum + disturbed, 0);
  const limit =
    scenario.foreignMax === null
      ? ''
      : ` ${dropped} rows were left out because other jobs used over ${scenario.foreignMax} cores.`;
  const pairs =
    scenario.pairs.length === 0 ? 'No A/A pair: no ratio is told.' : `A/A: ${scenario.pairs.map(pairText).join('; ')}.`;
  return [
    `### ${name}`,
    `${scenario.note}. ${scenario.date.slice(0, 10)}, loads of ${scenario.seconds} s.${limit} ${pairs}`,
    table(head, rows, hasLatency ? 4 : 2),
  ].join('\n\n');
}

export const scenarioTexts = ({ scenarios }) =>
  Object.entries(scenarios)
    .map(([name, scenario]) => scenarioText(name, scenario))
    .join('\n\n');

/** Ratios of the many to the one. */
export function growthText({ scenarios }) {
  const found = ['keys-10000', 'spaces-500'].flatMap(
    (name) => scenarios[name]?.ratios.filter(({ a }) => a !== 'memgate') ?? [],
  );
  if (found.length === 0) return 'Not measured.';
  return table(
    ['ratio', 'CPU per request'],
    found.map((ratio) => [
      `\`${ratio.a}\` ÷ \`${ratio.b}\``,
      ratio.isResolved ? ratioText(ratio) : `not resolved (${ratio.why})`,
    ]),
  );
}

/** Latency at fixed rates, against the same client straight to the upstream. */
export function addedText({ scenarios }) {
  const ms = (spread) => spreadText({ median: spread.median / 1e3, low: spread.low / 1e3, high: spread.high / 1e3 }, 2);
  const rows = ['rate-1000', 'rate-3000'].flatMap((name) =>
    (scenarios[name]?.added ?? [])
      .filter(({ p50Us }) => p50Us.median !== null)
      .map(({ a, b, p50Us, p99Us }) => [name, `\`${a}\` − \`${b}\``, ms(p50Us), ms(p99Us), String(p50Us.n)]),
  );
  if (rows.length === 0) return 'Not measured.';
  const disk = Object.entries(scenarios)
    .filter(([, { variants }]) => variants.direct?.syncP50Us !== undefined)
    .map(
      ([
        name,
        {
          variants: { direct },
        },
      ]) =>
        `${name}: p50 ${number(direct.syncP50Us / 1e3, 2)} ms, p99 ${number(direct.syncP99Us / 1e3, 2)} ms, and the generator itself was late by ${number(direct.generatorLateP99Us / 1e3, 2)} ms at p99`,
    );
  return [
    table(['scenario', 'what', 'p50 ms', 'p99 ms', 'rounds'], rows, 3),
    `The disk's own \`fdatasync\` of 1 KiB, one at a time, in the same rounds: ${disk.join('; ')}.`,
  ].join('\n\n');
}

export function versionsText({ scenarios }) {
  const sets = [
    ...new Set(Object.values(scenarios).map(({ versions, machine }) => JSON.stringify({ versions, machine }))),
  ];
  return sets
    .map((text) => {
      const { versions, machine } = JSON.parse(text);
      const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
      return `- ${machine.cores} cores, ${machine.cpu}, Linux ${machine.kernel}: ${programs.join(', ')}`;
    })
    .join('\n');
}

export const variantsText = ({ notes, leftOut }) =>
  [
    table(
      ['variant', 'what it is'],
      Object.entries(notes).map(([name, note]) => [`\`${name}\``, note]),
    ),
    ...Object.entries(leftOut).map(([name, why]) => `- \`${name}\` was left out: ${why.split('\n')[0]}`),
  ].join('\n\n');

/** Figures of other runners: faults, soak, memory, the HTTP Garden. */
export const promisesText = (promises) =>
  promises.length === 0
    ? 'Not measured yet.'
    : table(
        ['', 'promise', 'method', 'figure', ''],
        promises.map(({ id, promise, method, figure, ok }) => [
          ...[id, promise, method, figureText(figure)].map(inCell),
          ok ? 'kept' : '**broken**',
        ]),
      );

const inCell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

const figureText = (figure) =>
  typeof figure === 'object' && figure !== null
    ? Object.entries(figure)
        .map(([name, value]) => `${name} ${figureText(value)}`)
        .join(', ')
    : String(figure);
