import { z } from 'zod';
import { objects } from './objects.js';
import { mcpFields } from './mcp.js';
import { day, listen, milliseconds } from './parts.js';
import { upstreamCredential } from './upstream-credential.js';

/** The way in. */
export const gateway = z
  .strictObject({
    listen: listen
      .default('127.0.0.1:8080')
      .describe('Address and port for clients; port 0 takes a free one.')
      .meta({ restart: true }),
    allowed_hosts: z
      .array(z.string().min(1))
      .default([])
      .describe('Host header values that are served; empty serves any well-formed one.'),
    trusted_proxies: z
      .array(z.string().min(1))
      .default([])
      .describe('Addresses or networks (CIDR) whose X-Forwarded-For is believed.'),
    ...mcpFields,
    max_connections: z
      .int()
      .min(1)
      .max(100_000)
      .default(8_000)
      .describe('Open client connections in sum.')
      .meta({ restart: true }),
    max_connections_per_address: z
      .int()
      .min(1)
      .max(100_000)
      .default(1_000)
      .describe('Open client connections of one address (IPv4) or /64 (IPv6).')
      .meta({ restart: true }),
    max_pipelined_per_connection: z
      .int()
      .min(1)
      .max(1_000)
      .default(64)
      .describe(
        'Requests that may wait on one connection for the answer before them, and max_requests_in_progress on all of them; one more cuts the connection.',
      )
      .meta({ restart: true }),
    max_requests_in_progress: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(4_096)
      .describe(
        'Requests that have begun and are not answered, streams apart; above it 503. Nobody has more of them than places are left.',
      ),
    max_loop_delay_ms: milliseconds(60_000)
      .default(200)
      .describe('Lateness of the event loop from which on, after half a second of it, new requests get 503 in part.'),
    max_rss_bytes: z
      .int()
      .min(32 * 1_048_576)
      .optional()
      .describe(
        'Resident memory above which new requests get 503; default is 85 % of the memory limit of the container, where there is one.',
      ),
    headers_timeout_ms: milliseconds(600_000)
      .default(10_000)
      .describe('Longest wait for a complete request head.')
      .meta({ restart: true }),
    keep_alive_timeout_ms: milliseconds(3_600_000)
      .default(75_000)
      .describe('How long an idle client connection lives; keep it above the idle time of a balancer in front.')
      .meta({ restart: true }),
    answer_stall_timeout_ms: milliseconds(600_000)
      .default(10_000)
      .describe('Longest time in which a client takes nothing of its answer; then its connection is cut.')
      .meta({ restart: true }),
    body_timeout_ms: milliseconds(day)
      .default(30_000)
      .describe('Longest time for a request body that the decision waits for.'),
    body_min_bytes_per_second: z
      .int()
      .min(0)
      .max(1_000_000_000)
      .default(64)
      .describe('Slowest accepted upload, averaged after the first 5 seconds; 0 switches it off.'),
    inspect_max_bytes: z
      .int()
      .min(1)
      .max(64 * 1_048_576)
      .default(1_048_576)
      .describe('Largest request body that is read for a decision.'),
    inspect_max_bytes_in_progress: z
      .int()
      .min(1)
      .max(4 * 1_073_741_824)
      .default(64 * 1_048_576)
      .describe(
        'Bodies and WebSocket messages that are held for decisions, in sum; above it a request gets 503, and a tunnel is closed with 1013.',
      ),
  })
  .describe('The listener for clients.');

/** The way out. */
export const upstream = z
  .strictObject({
    url: z
      .string()
      .regex(/^http:\/\/[A-Za-z0-9.\-[\]:]+$/, 'must be http://HOST:PORT without a path')
      .default('http://127.0.0.1:7432')
      .describe('The memory server.'),
    connections: z
      .int()
      .min(1)
      .max(4_096)
      .default(128)
      .describe(
        'Open connections to the memory server. One caller has at most as many as are left for others: alone, half.',
      ),
    queue: z
      .int()
      .min(0)
      .max(100_000)
      .default(1_024)
      .describe(
        'Requests that may wait for a connection, served caller by caller in turn; above it 503, and for one caller as soon as it has as many waiting as there are places left.',
      ),
    stream_connections: z
      .int()
      .min(1)
      .max(4_096)
      .default(256)
      .describe('Open streams (routes with `stream: sse`), which have connections of their own; above it 503.'),
    streams_per_subject: z
      .int()
      .min(1)
      .max(4_096)
      .default(16)
      .describe(
        'Open streams of one key or static token; above it 503. Where nothing is enforced only the sum counts.',
      ),
    connect_timeout_ms: milliseconds(600_000).default(2_000).describe('Longest wait for a connection.'),
    headers_timeout_ms: milliseconds(day).default(30_000).describe('Longest wait for the head of an answer.'),
    body_timeout_ms: milliseconds(day)
      .default(30_000)
      .describe('Longest silence within an answer; streams are exempt.'),
    deadline_ms: milliseconds(day)
      .default(300_000)
      .describe(
        'Longest time from the decision to the last byte of the answer, waiting for a connection included; streams are exempt.',
      ),
    stream_idle_timeout_ms: milliseconds(7 * day)
      .default(3_600_000)
      .describe('Longest silence within a stream.'),
    objects: objects.prefault({}),
    credential: upstreamCredential.optional(),
  })
  .describe('Where admitted requests go.');
