import { z } from 'zod';
import { milliseconds } from './parts.js';

/** When the files are read again, and what is kept to go back to. */
export const reload = z
  .strictObject({
    watch: z
      .boolean()
      .default(false)
      .describe(
        'Look at configuration, profile, policy, policy data, cases and key manifests by ourselves, and reload when they change. Their directories are watched, so that a swapped link (ConfigMap volumes) is seen.',
      )
      .meta({ restart: true }),
    debounce_ms: milliseconds(60_000)
      .default(200)
      .describe('How long nothing may change before the files are read; after ten changes they are read anyway.')
      .meta({ restart: true }),
    rehash_interval_ms: milliseconds(86_400_000)
      .default(60_000)
      .describe('Between two looks that no change has asked for: the second line where a file system does not tell.')
      .meta({ restart: true }),
    kept_generations_max_entries: z
      .int()
      .min(0)
      .max(64)
      .default(5)
      .describe(
        'Good generations that are kept in data_dir for memgate rollback, with the one in force; 0 keeps none. Keys are never kept.',
      ),
  })
  .describe('Reloading, and going back.');
