// The command line of `npm run bench`.
import { parseArgs } from 'node:util';

const flags = {
  only: { type: 'string' },
  skip: { type: 'string' },
  scenario: { type: 'string' },
  rounds: { type: 'string', default: '10' },
  'rounds-max': { type: 'string' },
  restart: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '2' },
  warm: { type: 'string', default: '10' },
  pin: { type: 'string', default: '1' },
  quiet: { type: 'string', default: '0.25' },
  patience: { type: 'string', default: '3' },
  foreign: { type: 'string' },
  again: { type: 'string', default: '2' },
  out: { type: 'string' },
  work: { type: 'string' },
  check: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  'cpu-prof': { type: 'string' },
};

const names = (text) => (text === undefined ? null : text.split(',').filter((name) => name !== ''));

function number(values, name, { from, isWhole }) {
  const value = Number(values[name]);
  if (!Number.isFinite(value) || value < from || (isWhole && !Number.isInteger(value)))
    throw new Error(`--${name} is "${values[name]}", must be a ${isWhole ? 'whole ' : ''}number from ${from}`);
  return value;
}

/** @throws Error that names the option and the wanted form */
export function readOptions(argv) {
  const { values } = parseArgs({ args: argv, options: flags });
  const whole = (name, from = 1) => number(values, name, { from, isWhole: true });
  const rounds = whole('rounds');
  if (!/^\d+(,\d+)*$|^none$/.test(values.pin))
    throw new Error(`--pin is "${values.pin}", must be cores such as 1 or 0,1, or none`);
  return {
    only: names(values.only),
    skip: names(values.skip) ?? [],
    scenarios: names(values.scenario),
    rounds,
    roundsMax: values['rounds-max'] === undefined ? rounds * 2 : Math.max(rounds, whole('rounds-max')),
    restart: whole('restart'),
    seconds: whole('seconds'),
    warmSeconds: whole('warm', 0),
    pin: values.pin === 'none' ? null : values.pin,
    quietCores: number(values, 'quiet', { from: 0 }),
    patienceSeconds: number(values, 'patience', { from: 0 }),
    foreignMax: values.foreign === undefined ? Infinity : number(values, 'foreign', { from: 0 }),
    again: whole('again', 0),
    out: values.out ?? null,
    work: values.work ?? null,
    isCheck: values.check,
    isList: values.list,
    isKept: values.keep,
    cpuProf: values['cpu-prof'] ?? null,
  };
}
