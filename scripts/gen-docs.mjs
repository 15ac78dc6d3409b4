// Makes the documents that follow from the code, and the JSON Schema. With `--check` it only compares: a difference fails.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { doors, rooms } from '../rooms.mjs';
import { build } from './build.mjs';
import { commandLineDoc } from './docs/command-line.mjs';
import { configurationDoc } from './docs/configuration.mjs';
import { errorsDoc } from './docs/errors.mjs';
import { profileDoc, profilesDoc, runsProblem } from './docs/profiles.mjs';
import { profileFileDoc } from './docs/profile-file.mjs';
import { roomsDoc } from './docs/rooms.mjs';

const place = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
if (!existsSync(place('dist/config/config.js'))) build();

const { fields, jsonSchema } = await import('../dist/config/config.js');
const codes = await import('../dist/model/codes.js');
const { profileSchema } = await import('../dist/resolve/resolve.js');
const { carrierKinds } = await import('../dist/resolve/carriers.js');
const { buildProgram } = await import('../dist/cli/program.js');
const profiles = await import('../dist/profiles/profiles.js');
const builtIn = await profiles.readBuiltIn();
if (!builtIn.ok)
  throw new Error(`a profile does not load: run \`memgate profile check\` (${builtIn.why[0]?.file ?? ''})`);
const runs = JSON.parse(readFileSync(place('docs/reference/profile-runs.json'), 'utf8'));
const wrong = runsProblem(builtIn.value, runs);
if (wrong !== null) throw new Error(wrong);

const made = {
  'docs/reference/configuration.md': configurationDoc(fields()),
  'docs/reference/errors.md': errorsDoc(codes),
  'docs/reference/command-line.md': commandLineDoc(buildProgram()),
  'docs/reference/profile-file.md': profileFileDoc(profileSchema, carrierKinds),
  'docs/explanation/rooms.md': roomsDoc({ rooms, doors }),
  'docs/reference/profiles.md': profilesDoc(builtIn.value, runs),
  ...Object.fromEntries(
    builtIn.value.map((data) => [`docs/reference/profiles/${data.name}.md`, profileDoc(data, profiles)]),
  ),
  'config/memgate.schema.json': `${JSON.stringify(jsonSchema(), null, 2)}\n`,
};
for (const [name, text] of Object.entries(made)) {
  const file = place(name);
  const present = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (present === text) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`${name} differs from what the code says: run \`npm run docs\` and look at the difference\n`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    process.stdout.write(`wrote ${name}\n`);
  }
}
