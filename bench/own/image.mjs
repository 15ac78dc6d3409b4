// The flags and the environment that memgate has in its image, so that it is measured as it is meant to run.
import { readFileSync } from 'node:fs';
import { inRepository } from '../place.mjs';

/** Settings of the last stage of a Dockerfile. */
export function imageSettings(dockerfile) {
  const stage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM ')).replaceAll(/\\\n/g, ' ');
  const env = {};
  for (const [, words] of stage.matchAll(/^ENV (.+)$/gm))
    for (const [, name, quoted, plain] of words.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)) env[name] = quoted ?? plain;
  const [program, ...words] = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(stage)?.[1] ?? '[]');
  const flags = program === 'node' ? words.filter((word) => word.startsWith('-')) : [];
  return { env, flags };
}

/** Gives the memgate process of a variant what it has in the image. */
export function asInImage(
  variant,
  { env, flags } = imageSettings(readFileSync(inRepository('deploy/Dockerfile'), 'utf8')),
) {
  const procs = variant.procs.map((proc) =>
    proc.role === 'memgate'
      ? {
          ...proc,
          cmd: ['{{NODE}}', ...flags, ...proc.cmd.slice(proc.cmd.indexOf('{{PROGRAM}}'))],
          env: { ...proc.env, ...env },
        }
      : proc,
  );
  return { ...variant, procs };
}
