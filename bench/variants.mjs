// Every variant: those of peers/ and our own bare forwarding.
import { existsSync } from 'node:fs';
import { inRepository } from './place.mjs';

const bare = {
  ports: 1,
  checks: 'open',
  procs: [{ role: 'node', cmd: ['{{NODE}}', '{{ROOT}}/bench/bare.mjs', '{{P0}}', '{{UPSTREAM}}'] }],
};
const own = [
  { name: 'memgate-bare', note: 'our own forward room behind our own listener, nothing decided', ...bare },
  { name: 'memgate-bare-again', copyOf: 'memgate-bare', note: 'its copy', ...bare },
];

/** `{ name, note, needs?, ports, files?, procs, prepare?, ready?, checks, copyOf?, scenarios?, notApplicable? }`: see README.md. */
export async function allVariants() {
  const file = inRepository('bench/peers/variants.mjs');
  const peers = existsSync(file) ? (await import(file)).default : [];
  return [...peers, ...own];
}
