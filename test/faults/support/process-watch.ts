import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What a process takes at one moment. */
export interface Sample {
  /** Since the watch began. */
  readonly atS: number;
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly threads: number;
}

const kibPerMiB = 1_024;

/** Memory of a process that is in RAM, in MiB. */
export const rssMiB = (pid: number): number => statusField(pid, 'VmRSS') / kibPerMiB;

/** The most memory that it ever had in RAM, in MiB. */
export const peakRssMiB = (pid: number): number => statusField(pid, 'VmHWM') / kibPerMiB;

export const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

const tickMs = 10;

/** CPU time of a process and its threads so far, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * tickMs;
}

function statusField(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? NaN);
}

interface ProcessWatch {
  readonly samples: readonly Sample[];
  stop(): void;
}

/** Samples a process until it is stopped, at times at which it is worth it. */
export function watchProcess(pid: number, everyMs: number, isWorthIt = (): boolean => true): ProcessWatch {
  const samples: Sample[] = [];
  const fromMs = performance.now();
  const take = (): void => {
    if (!isWorthIt() || !existsSync(`/proc/${pid}/fd`)) return;
    const atS = (performance.now() - fromMs) / 1_000;
    samples.push({ atS, rssMiB: rssMiB(pid), descriptors: descriptors(pid), threads: statusField(pid, 'Threads') });
  };
  const timer = setInterval(take, everyMs);
  return {
    samples,
    stop: () => {
      clearInterval(timer);
    },
  };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/**
 * The slope of a series that jumps: the median of the slopes between all pairs (Theil and Sen), which a few high values, such
 * as those right before a garbage collection, do not move. Per second.
 */
export function slope(points: readonly { readonly atS: number; readonly value: number }[]): number {
  const slopes: number[] = [];
  for (const [i, from] of points.entries())
    for (const to of points.slice(i + 1)) slopes.push((to.value - from.value) / (to.atS - from.atS));
  return median(slopes);
}

/** Difference between the medians of the last and the first third: what grew, without the teeth of the saw. */
export function growth(values: readonly number[]): number {
  const third = Math.max(1, Math.floor(values.length / 3));
  return median(values.slice(-third)) - median(values.slice(0, third));
}
