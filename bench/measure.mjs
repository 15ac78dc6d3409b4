// One row: a variant under the load of a scenario, and what that cost.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCrashed } from './live.mjs';
import { busyMs, cpuMsOfTrees, memoryOfTrees } from './process.mjs';

const settleMs = 60; // what a request leaves to be done behind its answer
const quietLookMs = 150;

/** Waits, but not for ever, until others leave the machine alone. */
async function waitForQuiet({ quietCores, patienceSeconds }) {
  const endMs = performance.now() + patienceSeconds * 1_000;
  while (performance.now() < endMs) {
    const [fromMs, busyBefore] = [performance.now(), busyMs()];
    await sleep(quietLookMs);
    if ((busyMs() - busyBefore) / (performance.now() - fromMs) < quietCores) return;
  }
}

/**
 * @returns processor time in µs per answered request, in sum and by role; memory in MiB at 70 % of the time; `foreign`, the cores
 *   that were busy meanwhile with anything else than this run
 */
export async function measure(scenario, variant, options) {
  const session = await scenario.open?.(variant, options);
  try {
    await waitForQuiet(options);
    return await row(scenario, variant, { ...options, session });
  } finally {
    await scenario.close?.(session);
  }
}

async function row(scenario, variant, options) {
  const { pids, roots } = variant;
  const look = () => ({ atMs: performance.now(), busyMs: busyMs(), trees: cpuMsOfTrees([process.pid, ...pids]) });
  const before = look();
  let memory = null;
  const timer = setTimeout(() => (memory = memoryOfTrees(pids)), options.seconds * 700);
  const result = await scenario.load(variant, options).finally(() => clearTimeout(timer));
  await sleep(settleMs);
  if (hasCrashed(variant)) throw new Error(`${variant.name} ended under the load of ${scenario.name}`);
  const after = look();
  const [ownMs, ...usedMs] = after.trees.map((ms, index) => ms - before.trees[index]);
  const usOf = (ms) => (ms * 1_000) / result.requests;
  return {
    requests: result.requests,
    errors: result.errors,
    cpuUs: usOf(usedMs.reduce((sum, ms) => sum + ms, 0)),
    parts: Object.fromEntries(roots.map(({ role }, index) => [role, usOf(usedMs[index])])),
    rps: result.requests / result.seconds,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    ...(memory ?? memoryOfTrees(pids)),
    foreign: Math.max(0, (after.busyMs - before.busyMs - ownMs) / (after.atMs - before.atMs)),
    ...result.extra,
  };
}
