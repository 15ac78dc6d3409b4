// Where a run happens: its directory, its ports, and the values that commands and configuration files are filled with.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const inRepository = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const peers = inRepository('bench/peers');
const firstOf = (...paths) => paths.find((path) => existsSync(path)) ?? paths[0];

/** What is asked of every variant, unless it says otherwise. */
export const target = '/api/v1/spaces/space-07/docs/doc-123';
/** 1,022 bytes, what the upstream answers to a GET. */
export const document = JSON.stringify({ id: 'doc-123', space: 'space-07', text: 'x'.repeat(974) });
/** 1,021 bytes, what is posted. */
export const posted = JSON.stringify({ text: 'y'.repeat(1_010) });

/** A directory of the run's own, gone when the process ends. */
export function openPlace({ work, isKept }) {
  const directory = mkdtempSync(resolve(work ?? tmpdir(), 'memgate-bench-'));
  chmodSync(directory, 0o711); // nginx gives its workers to nobody, and they have files below it
  if (!isKept) process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const vars = {
    ROOT: inRepository('.').replace(/\/$/, ''),
    HERE: peers,
    CACHE: inRepository('.cache/peers'),
    BIN: inRepository('.cache/bin'),
    NODE: process.execPath,
    PROGRAM: inRepository('dist/cli/cli.js'),
    NODE_PEERS: inRepository('.cache/peers/node'),
    NGINX: firstOf('/usr/sbin/nginx', '/usr/bin/nginx'),
    CADDY: firstOf('/usr/bin/caddy', '/usr/local/bin/caddy'),
    ENVOY: process.env.ENVOY ?? inRepository('.cache/peers/envoy/envoy/_bin/envoy'),
    OPA: inRepository('.cache/bin/opa'),
    TARGET: target,
    BODY: document,
  };
  return { directory, vars };
}

/** Ports that were free a moment ago; all are held until the last is known, so that none comes twice. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve, reject) => {
          const server = createServer().once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Puts values in the place of `{{NAME}}`, and files of peers/configs/ in that of `{{include FILE}}`. */
export function fill(text, vars) {
  return text
    .replace(/\{\{include ([\w./-]+)\}\}/g, (_, file) => readFileSync(join(peers, 'configs', file), 'utf8'))
    .replace(/\{\{([A-Z][A-Z0-9_]*)\}\}/g, (_, name) => {
      if (vars[name] === undefined) throw new Error(`nothing is known for {{${name}}}`);
      return vars[name];
    });
}

/** Text of a source file of a variant: below peers/configs/, peers/ or the repository. */
export function sourceOf(name) {
  const file = firstOf(...['bench/peers/configs', 'bench/peers', '.'].map((base) => join(inRepository(base), name)));
  return readFileSync(file, 'utf8');
}
