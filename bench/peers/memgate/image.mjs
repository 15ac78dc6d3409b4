// How the image starts memgate: its options of Node and its environment are part of what is measured. Node is named itself,
// as profiles need options of their own.
import { readFileSync } from 'node:fs';

const inRepository = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** Reads the last stage of a Dockerfile, `ENV NAME=VALUE …`, and the launcher that it enters: `export NAME="VALUE"` and `exec node …`. */
export function startOf(dockerfile, launcher) {
  const stage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM ')).replaceAll('\\\n', ' ');
  const entry = /^ENTRYPOINT (.*)$/m.exec(stage)?.[1];
  if (entry !== '["/app/bin/memgate"]')
    throw new Error(`deploy/Dockerfile: the ENTRYPOINT is ${entry}, must be ["/app/bin/memgate"]`);
  const command = /^exec node((?: --\S+)*) "[^\n]*cli\.js" "\$@"$/m.exec(launcher)?.[1];
  if (command === undefined) throw new Error('bin/memgate: wanted a line `exec node --OPTION… "…cli.js" "$@"`');
  const pairs = [...stage.matchAll(/^ENV (.+)$/gm)].flatMap(([, line]) => line.trim().split(/\s+/));
  // "VALUE${MORE}" or "${NAME-VALUE}": without an environment of its own, VALUE is what it comes to.
  const set = [...launcher.matchAll(/^export (\w+)="(?:\$\{\w+-([^}"]*)\}|([^"$]*)(?:\$\{[^}]*\})?)"$/gm)];
  const env = Object.fromEntries([
    ...pairs.map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]),
    ...set.map(([, name, usual, value]) => [name, usual ?? value]),
  ]);
  return { options: command.split(' ').slice(1), env };
}

export const startOfImage = () => startOf(inRepository('deploy/Dockerfile'), inRepository('bin/memgate'));
