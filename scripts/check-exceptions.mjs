// An exception from a rule says why in its own line: `// eslint-disable-next-line RULE -- REASON`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const exception = /(?:eslint-disable|@ts-expect-error|@ts-ignore|@ts-nocheck|prettier-ignore)(.*)/;
const reasoned = /^(?:\S* [\w@/, -]+ -- \S.{9,}|\S* ?[(:-]+ ?\S.{9,})/;
const problems = [];
for (const folder of ['src', 'test', 'bench', 'scripts']) {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  } catch {
    continue; // not every folder is there
  }
  for (const entry of entries) {
    const file = join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isFile() || !/\.(?:ts|mjs)$/.test(file) || file.endsWith('check-exceptions.mjs')) continue;
    for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
      const place = `${file.slice(root.length)}:${index + 1}`;
      const found = exception.exec(line);
      if (found !== null && !/^\s*t\.|['"`].*@ts-/.test(line)) {
        if (/@ts-(?:ignore|nocheck)/.test(line)) problems.push(`${place}: use @ts-expect-error, in test/types only`);
        else if (line.includes('@ts-expect-error') && folder !== 'test')
          problems.push(`${place}: @ts-expect-error in ${folder}`);
        else if (!reasoned.test(found[1])) problems.push(`${place}: an exception without a reason: append " -- why"`);
      }
      if (folder === 'src' && /\b(?:TODO|FIXME|XXX)\b/.test(line)) problems.push(`${place}: unfinished business`);
    }
  }
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
