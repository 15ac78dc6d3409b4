// What a process and its children have used, from /proc.
import { readFileSync, readdirSync } from 'node:fs';

const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on

const statOf = (pid) => {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
  return { parent: Number(fields[1]), userTicks: Number(fields[11]), systemTicks: Number(fields[12]) };
};

/** A process and everything below it. */
function treeOf(root) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), statOf(name).parent);
    } catch {
      continue; // it ended meanwhile
    }
  }
  const isBelow = (pid) => {
    for (let at = pid; at !== undefined && at > 1; at = parents.get(at)) if (at === root) return true;
    return false;
  };
  return [...parents.keys()].filter(isBelow);
}

/** Seconds of processor time so far: user and system, of the whole tree. */
export function cpuSeconds(root) {
  let user = 0;
  let system = 0;
  for (const pid of treeOf(root)) {
    const { userTicks, systemTicks } = statOf(pid);
    user += userTicks;
    system += systemTicks;
  }
  return { user: user / ticksPerSecond, system: system / ticksPerSecond };
}

/** Memory in MiB: what it holds now, and the most it has held. */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? NaN) / 1_024;
  return { nowMiB: of('VmRSS'), peakMiB: of('VmHWM') };
}
