// Which programs were measured.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRepository } from './place.mjs';

function saidBy(program, args, pattern) {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 });
  return error === undefined ? (pattern.exec(`${stdout}${stderr}`)?.[1] ?? null) : null;
}

function packageVersion(directory, name) {
  try {
    return JSON.parse(readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return null; // it is not installed: the variant that needs it is left out
  }
}

const packages = [
  'fastify',
  '@fastify/http-proxy',
  '@fastify/rate-limit',
  'http-proxy',
  'express',
  'http-proxy-middleware',
  '@open-policy-agent/opa-wasm',
  'prom-client',
  'pino',
];

export function versionsOf(vars) {
  const found = {
    memgate: JSON.parse(readFileSync(inRepository('package.json'), 'utf8')).version,
    node: process.version,
    nginx: saidBy(vars.NGINX, ['-v'], /nginx\/(\S+)/),
    opa: saidBy(vars.OPA, ['version'], /Version: (\S+)/),
    caddy: saidBy(vars.CADDY, ['version'], /(\d+\.\d+\S*)/),
    envoy: saidBy(vars.ENVOY, ['--version'], /\/(\d+\.\d+\.\d+)\//),
    wrk: saidBy('wrk', ['-v'], /wrk (\S+)/),
    ...Object.fromEntries(packages.map((name) => [name, packageVersion(vars.NODE_PEERS, name)])),
  };
  return Object.fromEntries(Object.entries(found).filter(([, version]) => version !== null));
}
