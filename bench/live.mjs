// Starts and stops what is measured, and what it stands in front of.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fill, freePorts, inRepository, sourceOf } from './place.mjs';
import { memoryOfTrees } from './process.mjs';

const startMsMax = 30_000;
const stopMsMax = 8_000;
/** Generator and upstream; what is measured has the cores of --pin. */
export const loadCore = '0';
const started = [];

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;

/** Runs a command on one core (or none in particular), its output in a file. */
export function launch({ cmd, env = {}, core, log }) {
  const sink = openSync(log, 'a');
  const [program, ...args] = core === null ? cmd : ['taskset', '-c', core, ...cmd]; // taskset becomes the program: same id
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, HOME: dirname(log), ...env },
    stdio: ['ignore', sink, sink],
  });
  child.on('error', () => undefined); // told by whoever waits for it
  started.push(child);
  return child;
}

process.on('exit', () => {
  for (const child of started) if (!hasEnded(child)) child.kill('SIGKILL');
});

export async function stop(children) {
  for (const child of children) if (!hasEnded(child)) child.kill('SIGTERM');
  const endMs = performance.now() + stopMsMax;
  while (children.some((child) => !hasEnded(child)) && performance.now() < endMs) await sleep(50);
  for (const child of children) if (!hasEnded(child)) child.kill('SIGKILL');
}

export const stopAll = () => stop(started);

const isOpen = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

async function until(test, roots, what) {
  const endMs = performance.now() + startMsMax;
  while (performance.now() < endMs) {
    for (const { role, child, log } of roots) {
      if (child.pid === undefined) throw new Error(`${role} cannot be started: ${child.spawnargs.join(' ')}`);
      if (hasEnded(child)) throw new Error(`${role} ended at once: ${readFileSync(log, 'utf8').slice(-2_000)}`);
    }
    if (await test()) return;
    await sleep(50);
  }
  throw new Error(
    `${what} within ${startMsMax} ms: ${roots.map(({ log }) => readFileSync(log, 'utf8').slice(-1_000)).join('\n')}`,
  );
}

const filled = (table, vars) =>
  Object.fromEntries(Object.entries(table).map(([name, text]) => [name, fill(text, vars)]));

/** A profile of a Node program: its options stand right behind `node`. */
const profiled = (cmd, directory) =>
  directory === null || !/(?:^|\/)node$/.test(cmd[0])
    ? cmd
    : [cmd[0], '--cpu-prof', '--cpu-prof-dir', directory, ...cmd.slice(1)];

function writeFiles(files, vars) {
  for (const [name, source] of Object.entries(files ?? {})) {
    const file = join(vars.DIR, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, fill(sourceOf(source), vars));
  }
}

function launchAll(variant, vars, { pin, cpuProf }) {
  const roots = [];
  for (const { role, cmd, env, readyLine } of variant.procs) {
    const log = join(vars.DIR, `${role}.out`);
    const words = profiled(
      cmd.map((word) => fill(word, vars)),
      cpuProf,
    );
    const child = launch({ cmd: words, env: filled(env ?? {}, vars), core: pin, log });
    roots.push({ role, child, log, readyLine });
  }
  return roots;
}

/** What stands in the way of a variant, or null. */
export function missingOf(variant, vars) {
  const missing = (variant.needs ?? []).map((path) => fill(path, vars)).filter((path) => !existsSync(path));
  return missing.length === 0 ? null : `missing: ${missing.join(', ')}`;
}

/** Starts a variant and waits until all of its ports take connections. */
export async function startVariant(variant, place, options) {
  const ports = await freePorts(variant.ports ?? 1);
  const vars = { ...place.vars, DIR: join(place.directory, variant.name) };
  for (const [index, port] of ports.entries()) vars[`P${index}`] = String(port);
  mkdirSync(vars.DIR, { recursive: true });
  Object.assign(vars, await variant.prepare?.(vars));
  writeFiles(variant.files, vars);
  const roots = launchAll(variant, vars, options);
  try {
    await until(async () => (await Promise.all(ports.map(isOpen))).every(Boolean), roots, 'its ports are not all open');
    for (const root of roots) {
      if (root.readyLine === undefined) continue;
      await until(() => readFileSync(root.log, 'utf8').includes(root.readyLine), [root], `no line "${root.readyLine}"`);
    }
    Object.assign(vars, await variant.ready?.(vars));
  } catch (error) {
    await stop(roots.map(({ child }) => child));
    throw error;
  }
  const pids = roots.map(({ child }) => child.pid);
  return { ...variant, vars, roots, pids, port: ports[0] ?? Number(vars.UPSTREAM), idle: memoryOfTrees(pids) };
}

export const hasCrashed = ({ roots }) => roots.some(({ child }) => hasEnded(child));

/** The server behind all variants: nginx for 1 KB, a Node program for streams and bulk. */
export async function startUpstream(place) {
  const [port, bulkPort] = await freePorts(2);
  const directory = join(place.directory, 'upstream');
  mkdirSync(directory);
  const vars = { ...place.vars, DIR: directory, P0: String(port), BULK: String(bulkPort) };
  writeFileSync(
    join(directory, 'nginx.conf'),
    fill(readFileSync(inRepository('bench/upstreams/nginx.conf'), 'utf8'), vars),
  );
  const roots = [
    { role: 'bulk', cmd: [process.execPath, inRepository('bench/upstreams/bulk.mjs'), String(bulkPort)] },
    { role: 'nginx', cmd: [vars.NGINX, '-e', join(directory, 'error.log'), '-c', join(directory, 'nginx.conf')] },
  ].map(({ role, cmd }) => {
    const log = join(directory, `${role}.out`);
    return { role, log, child: launch({ cmd, core: loadCore, log }) };
  });
  await until(async () => (await isOpen(port)) && (await isOpen(bulkPort)), roots, 'the upstream is not up');
  return { port, roots, pids: roots.map(({ child }) => child.pid) };
}
