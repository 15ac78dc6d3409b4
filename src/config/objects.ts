import { z } from 'zod';
import { milliseconds } from './parts.js';

const mib = 1_048_576;

/** Objects that are named by id, and answers that are held until it is known whose they are. */
export const objects = z
  .strictObject({
    lookup_concurrency: z
      .int()
      .min(1)
      .max(1_024)
      .default(32)
      .describe('Look-ups of objects that are under way at a time; of one caller, as many as are left for others.'),
    lookup_queue: z.int().min(0).max(100_000).default(256).describe('Look-ups that may wait; above it 503.'),
    lookup_timeout_ms: milliseconds(600_000).default(5_000).describe('Longest time of a look-up; then 504.'),
    lookup_max_bytes: z
      .int()
      .min(1_024)
      .max(64 * mib)
      .default(mib)
      .describe('Largest answer to a look-up; above it 502.'),
    lookup_cache_entries: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(10_000)
      .describe('Answers that are kept for the time that the profile gives them.'),
    answer_max_bytes: z
      .int()
      .min(1_024)
      .max(64 * mib)
      .default(mib)
      .describe('Largest answer that is held to be checked or filtered; above it 502.'),
    answer_bytes_in_progress: z
      .int()
      .min(1_024)
      .max(4 * 1_073_741_824)
      .default(64 * mib)
      .describe('Answers that are held, in sum; above it 503.'),
    filter_space_entries: z
      .int()
      .min(1)
      .max(4_096)
      .default(256)
      .describe('Different spaces in one list that the policy is asked about; above it 502.'),
  })
  .describe('Objects that are named by id, and answers that are checked or filtered.');
