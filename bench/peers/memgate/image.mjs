// How the image starts memgate: its options of Node and its environment are part of what is measured.
import { readFileSync } from 'node:fs';

const dockerfile = readFileSync(new URL('../../../deploy/Dockerfile', import.meta.url), 'utf8');

/** Reads the last stage of a Dockerfile: `ENTRYPOINT ["node", …]` and `ENV NAME=VALUE …`. */
export function startOf(text) {
  const stage = text.slice(text.lastIndexOf('\nFROM ')).replaceAll('\\\n', ' ');
  const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(stage)?.[1] ?? '[]');
  if (entry[0] !== 'node' || !entry.at(-1).endsWith('cli.js'))
    throw new Error(`deploy/Dockerfile: the ENTRYPOINT is ${JSON.stringify(entry)}, must be ["node", …, "…cli.js"]`);
  const pairs = [...stage.matchAll(/^ENV (.+)$/gm)].flatMap(([, line]) => line.trim().split(/\s+/));
  const env = Object.fromEntries(pairs.map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]));
  return { options: entry.slice(1, -1), env };
}

export const startOfImage = () => startOf(dockerfile);
