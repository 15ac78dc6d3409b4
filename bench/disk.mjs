// What the disk itself needs for what a durable record asks of it: one append and one fdatasync at a time.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from './stats.mjs';

const syncs = 200;
const recordBytes = 1_024; // about what a decision takes

/** @returns p50 and p99 of `fdatasync` in µs, in a directory on the disk in question */
export function syncTimes(directory) {
  const file = join(directory, 'sync-probe');
  const descriptor = openSync(file, 'w');
  const record = Buffer.alloc(recordBytes, 'r');
  const times = [];
  for (let n = 0; n < syncs; n += 1) {
    writeSync(descriptor, record);
    const fromMs = performance.now();
    fdatasyncSync(descriptor);
    times.push((performance.now() - fromMs) * 1_000);
  }
  closeSync(descriptor);
  rmSync(file);
  return { syncP50Us: quantile(times, 0.5), syncP99Us: quantile(times, 0.99) };
}
