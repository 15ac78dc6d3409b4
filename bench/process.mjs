// What processes and their children have used, from /proc.
import { readFileSync, readdirSync } from 'node:fs';

const msPerTick = 10; // USER_HZ is 100 on every Linux that Node runs on

const fieldsOf = (pid) => {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text
    .slice(text.lastIndexOf(')') + 2) // the name before may hold anything
    .split(' ')
    .map(Number);
};

/** User and system time, that of children who have ended included. */
const ticksOf = ([, , , , , , , , , , , user, system, childUser, childSystem]) =>
  user + system + childUser + childSystem;

function allProcesses() {
  const found = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = fieldsOf(name);
      found.set(Number(name), { parent: fields[1], cpuMs: ticksOf(fields) * msPerTick });
    } catch {
      continue; // it ended meanwhile
    }
  }
  return found;
}

/** A process and everything below it. */
export function treeOf(root, processes = allProcesses()) {
  const isBelow = (pid) => {
    for (let at = pid; at !== undefined && at > 1; at = processes.get(at)?.parent) if (at === root) return true;
    return false;
  };
  return [...processes.keys()].filter(isBelow);
}

/** Milliseconds of processor time so far of each tree, all read at one time. */
export function cpuMsOfTrees(roots) {
  const processes = allProcesses();
  return roots.map((root) => treeOf(root, processes).reduce((sum, pid) => sum + processes.get(pid).cpuMs, 0));
}

/** Milliseconds for which all cores together were busy since the machine started, with whatever. */
export function busyMs() {
  let ticks = 0;
  for (const line of readFileSync('/proc/stat', 'latin1').split('\n')) {
    if (!/^cpu\d/.test(line)) continue;
    const [, user, nice, system, , , irq, softirq] = line.split(/\s+/).map(Number);
    ticks += user + nice + system + irq + softirq;
  }
  return ticks * msPerTick;
}

/** Memory of whole trees in MiB; PSS counts a page that is shared by n processes as 1/n. */
export function memoryOfTrees(roots) {
  const processes = allProcesses();
  const sum = { rssMiB: 0, pssMiB: 0 };
  for (const pid of roots.flatMap((root) => treeOf(root, processes))) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      sum.rssMiB += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1_024;
      sum.pssMiB += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1_024;
    } catch {
      continue; // it ended meanwhile
    }
  }
  return sum;
}
