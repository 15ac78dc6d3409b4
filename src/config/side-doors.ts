import { z } from 'zod';
import { milliseconds } from './parts.js';

/** Ways around the gateway. */
export const sideDoors = z
  .strictObject({
    probe: z
      .boolean()
      .default(true)
      .describe(
        "Try the memory server's port, and the side doors of its profile, at the other addresses of this machine: connect, send nothing, close.",
      ),
    interval_ms: milliseconds(86_400_000).min(1_000).default(60_000).describe('Time between two looks.'),
    readiness: z
      .enum(['report', 'fail'])
      .default('report')
      .describe(
        'report: an open one is logged, counted and shown; fail: with one open, or before the first look, /ready is 503.',
      ),
    accepted_ports: z
      .array(z.int().min(1).max(65_535))
      .max(64)
      .default([])
      .describe('Ports that may be open because something else shuts them, such as a network policy.'),
  })
  .describe('Ways around the gateway to the memory server.');
