import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the kernel tells. */
export interface CgroupPlaces {
  /** Which groups this process is in. */
  readonly membership: string;
  /** Where the groups are mounted. */
  readonly mount: string;
}

export const usualPlaces: CgroupPlaces = { membership: '/proc/self/cgroup', mount: '/sys/fs/cgroup' };

/** Version 1 says "no limit" with a number near 2^63. */
const noLimitFrom = 2 ** 60;

const readable = (file: string): string => {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch {
    return ''; // no such group, or no such version
  }
};

function limitIn(file: string): number {
  const text = readable(file);
  const bytes = /^\d+$/.test(text) ? Number(text) : Infinity;
  return bytes < noLimitFrom ? bytes : Infinity;
}

/** The limits of a group and of all above it: the least one counts. */
function leastLimit(root: string, group: string, file: string): number {
  const own = limitIn(join(root, group, file));
  return group === '/' || group === '.' ? own : Math.min(own, leastLimit(root, dirname(group), file));
}

/**
 * The memory limit of the container, from control groups of version 2 or 1.
 *
 * @returns null where there is none
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html for `memory.max`
 */
export function containerLimit({ membership, mount }: CgroupPlaces = usualPlaces): number | null {
  const lines = readable(membership).split('\n');
  const groupOf = (form: RegExp): string => lines.map((line) => form.exec(line)?.[1]).find(Boolean) ?? '/';
  const limit = Math.min(
    leastLimit(mount, groupOf(/^0::(\/.*)$/), 'memory.max'),
    leastLimit(join(mount, 'memory'), groupOf(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/), 'memory.limit_in_bytes'),
  );
  return limit === Infinity ? null : limit;
}
