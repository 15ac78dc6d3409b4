// What the output of the test runner tells, for those who run it and show only a part of it.

const shownMax = 400;

/** Each failed assertion or file with its message, and nothing of the ones that passed. @returns lines */
export function failuresIn(output) {
  const lines = [];
  let until = '';
  for (const line of output.split('\n')) {
    const fault = /^( *)not ok .*/.exec(line);
    if (fault !== null) until = `${fault[1]}  ...`;
    if (until !== '') lines.push(line);
    if (line === until || (fault === null && until !== '' && /^ *(?:ok|# Subtest)/.test(line))) until = '';
  }
  return lines.length > shownMax ? [...lines.slice(0, shownMax), `… ${lines.length - shownMax} lines more`] : lines;
}

/** Files of tests that have failed, as paths from the root. */
export const failedFilesIn = (output) =>
  [...output.matchAll(/^not ok \d+ - (test\/\S+\.test\.ts)\b/gm)].map(([, file]) => file);

/** The part of the output that is about one file. */
export function partOf(output, file) {
  const from = output.indexOf(`# Subtest: ${file}\n`);
  const end = new RegExp(`^not ok \\d+ - ${file.replaceAll('.', '\\.')}`, 'm').exec(output)?.index ?? output.length;
  return from < 0 ? '' : output.slice(from, output.indexOf('\n', end) + 1);
}

/** Assertions that passed and that failed. */
export function totalsIn(output) {
  const totals = /^# \{ total: .*\}$/m.exec(output)?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail') };
}
