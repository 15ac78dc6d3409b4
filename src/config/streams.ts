import { z } from 'zod';
import { day, milliseconds } from './parts.js';

/** What lasts: streams, tunnels, long uploads and answers. */
export const streams = z
  .strictObject({
    sweep_interval_ms: z
      .int()
      .min(10)
      .max(500)
      .default(250)
      .describe('How often the credentials behind all streams, tunnels and long requests are looked at again.'),
    sweep_slice_ms: z
      .int()
      .min(1)
      .max(50)
      .default(5)
      .describe('Longest time that this keeps everything else waiting; then the rest has its turn.'),
    review_interval_ms: milliseconds(day)
      .default(5_000)
      .describe(
        'How often the policy is asked again about each of them, for rules that look at the time. After a reload, or a change of the rights of a key, it is asked at the next sweep.',
      ),
    message_max_bytes: z
      .int()
      .min(125)
      .max(16 * 1_048_576)
      .default(65_536)
      .describe('Largest WebSocket message that is held for a decision; a larger one closes the tunnel.'),
    first_message_timeout_ms: milliseconds(600_000)
      .default(10_000)
      .describe('Longest wait for the first message of a WebSocket, where messages are decided.'),
  })
  .describe('Streams, WebSocket tunnels and long requests, which end when their right ends.');
