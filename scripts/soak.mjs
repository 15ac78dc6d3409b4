// `npm run test:soak [-- --minutes 60] [--rate 500] [--out FILE]`: the program under load for an hour, one fault a minute.
// In less than 20 minutes each fault has its turn as well, and memory is judged by its growth in sum: a slope takes longer.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { keepFigures } from './faults/figures.mjs';
import { runTapFile } from './faults/tap-file.mjs';

const minutesBeside = 5; // for the start, the end, and the verification of the log
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '500' },
    out: { type: 'string' },
  },
});
for (const [name, value] of Object.entries({ minutes: values.minutes, rate: values.rate })) {
  if (Number(value) > 0) continue;
  process.stderr.write(`--${name} ${value}: must be a number above 0\n`);
  process.exit(2);
}

try {
  if (process.env.MEMGATE_PROGRAM === undefined) build();
} catch {
  process.exit(1); // the compiler has said why
}
const { isFine, lines, figures } = await runTapFile('test/faults/long/soak.long.ts', {
  minutesMax: Number(values.minutes) + minutesBeside,
  env: { MEMGATE_FAULTS: 'long', MEMGATE_SOAK_MINUTES: values.minutes, MEMGATE_SOAK_RATE: values.rate },
  onLine: (line) => {
    const [, what] = /^ +# (?:table|progress|left out): (.*)$/.exec(line) ?? [];
    if (what !== undefined) process.stdout.write(`${what}\n`);
  },
});
if (!isFine) process.stdout.write(`${lines.join('\n')}\n`);
for (const figure of figures) process.stdout.write(`figure: ${JSON.stringify(figure)}\n`);
if (values.out !== undefined) keepFigures(values.out, figures);
process.stdout.write(`\n${isFine ? '1 passed, 0 failed' : '0 passed, 1 failed'}\n`);
process.exitCode = isFine ? 0 : 1;
