import { z } from 'zod';

/** The audit log on disk. */
export const audit = z
  .strictObject({
    dir: z
      .string()
      .min(1)
      .optional()
      .describe('Directory of the audit log; default is audit in data_dir.')
      .meta({ restart: true }),
    durability: z
      .strictObject({
        content: z.enum(['strict', 'buffered']).default('strict').describe('Reads of memories.'),
        metadata: z.enum(['strict', 'buffered']).default('strict').describe('Reads of names and counts.'),
        metrics: z.enum(['strict', 'buffered']).default('strict').describe('Reads of public figures.'),
      })
      .prefault({})
      .describe(
        'Per data class, for reads only: strict waits for the disk before forwarding, buffered does not. Everything else is always strict.',
      ),
    segment_bytes: z
      .int()
      .min(4_096)
      .max(4 * 1_073_741_824)
      .default(67_108_864)
      .describe('Size at which a new segment file begins.')
      .meta({ restart: true }),
    max_bytes: z
      .int()
      .min(16_384)
      .default(10 * 1_073_741_824)
      .describe('Size of all segments in sum; beyond it nothing is admitted.')
      .meta({ restart: true }),
    reserve_bytes: z
      .int()
      .min(0)
      .default(64 * 1_048_576)
      .describe('Part of max_bytes, and of the free space of the disk, that only authorized requests may use.')
      .meta({ restart: true }),
    queue_entries: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(65_536)
      .describe('Records that may wait for the disk; above it nothing is admitted.')
      .meta({ restart: true }),
    queue_bytes: z
      .int()
      .min(65_536)
      .max(4 * 1_073_741_824)
      .default(64 * 1_048_576)
      .describe('The same in bytes.')
      .meta({ restart: true }),
    refusals_per_second: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(200)
      .describe(
        'Refusals before authorization that are written one by one; the rest is folded into one counted summary a second.',
      )
      .meta({ restart: true }),
    refusals_per_second_per_address: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(50)
      .describe('The same for one address (IPv4, IPv6 /64).')
      .meta({ restart: true }),
    allow_tmpfs: z
      .boolean()
      .default(false)
      .describe('Accept a file system in memory for the audit log.')
      .meta({ restart: true }),
  })
  .describe('The durable record of decisions.');
