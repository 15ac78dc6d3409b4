// The file of figures that the report page takes: a list of {id, promise, method, figure, ok, form, date, node, commit, cores, load_average}.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { dirname } from 'node:path';
import { root } from './tap-file.mjs';

const nameOf = ({ id, promise }) => `${id} ${promise}`;

/** Lays new figures over those of the file, by id and promise; the others stay. */
export function mergeFigures(before, added) {
  const all = new Map([...before, ...added].map((figure) => [nameOf(figure), figure]));
  return [...all.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }));
}

/** Says when, and of what, the figures are, and keeps them in a file. */
export function keepFigures(file, figures) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const [load = 0] = loadavg(); // a figure of a busy machine is that of a busy machine
  const machine = { cores: availableParallelism(), load_average: Math.round(load * 10) / 10 };
  const stamp = { date: new Date().toISOString().slice(0, 10), node: process.version, commit, ...machine };
  const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  mkdirSync(dirname(file), { recursive: true });
  const stamped = figures.map((figure) => ({ ...figure, ...stamp }));
  writeFileSync(file, `${JSON.stringify(mergeFigures(before, stamped), null, 2)}\n`);
}
