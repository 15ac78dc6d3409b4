// The lockfile must install anywhere: no address of a registry in it, a digest for each package, and every optional
// package that another one names (without them `npm ci` refuses the lockfile on other platforms).
import { readFileSync } from 'node:fs';

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const { packages } = read('package-lock.json');
const manifest = read('package.json');
const problems = [];

/** The entry that a package at `from` finds under a name, as Node looks it up. */
function find(from, name) {
  for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf('node_modules/') - 1))) {
    const entry = `${place === '' ? '' : `${place}/`}node_modules/${name}`;
    if (packages[entry] !== undefined || place === '') return packages[entry];
  }
}

for (const [place, entry] of Object.entries(packages)) {
  if (entry.resolved !== undefined) problems.push(`${place}: names the address ${entry.resolved}`);
  if (place !== '' && entry.integrity === undefined && entry.inBundle !== true)
    problems.push(`${place}: has no digest`);
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (find(place, name) === undefined) problems.push(`${place}: its optional package ${name} is missing`);
  }
}
for (const kind of ['dependencies', 'devDependencies']) {
  for (const [name, version] of Object.entries(manifest[kind])) {
    if (!/^\d/.test(version)) problems.push(`package.json: ${name} is not pinned (${version})`);
    if (packages[''][kind][name] !== version) problems.push(`${name}: package.json and the lockfile disagree`);
  }
}
for (const problem of problems) process.stderr.write(`package-lock.json: ${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
