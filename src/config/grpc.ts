import { z } from 'zod';
import { listen, milliseconds } from './parts.js';

const mebibyte = 1_048_576;

/** The listener for gRPC; there is none without it. */
export const grpc = z
  .strictObject({
    listen: listen
      .describe('Address and port for clients that speak gRPC (HTTP/2 without TLS).')
      .meta({ restart: true }),
    upstream: z
      .string()
      .regex(/^http:\/\/[A-Za-z0-9.\-[\]:]+$/, 'must be http://HOST:PORT without a path')
      .default('http://127.0.0.1:50051')
      .describe('The gRPC port of the memory server. Times and numbers of streams are those of `upstream`.')
      .meta({ restart: true }),
    max_connections: z
      .int()
      .min(1)
      .max(100_000)
      .default(1_000)
      .describe('Open client connections in sum.')
      .meta({ restart: true }),
    max_connections_per_address: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe('Open client connections of one address (IPv4) or /64 (IPv6).')
      .meta({ restart: true }),
    max_calls_per_connection: z
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .describe('Calls that may be open on one connection.')
      .meta({ restart: true }),
    max_resets_per_minute: z
      .int()
      .min(1)
      .max(100_000)
      .default(600)
      .describe('Calls that a client may break off on one connection, a third of them at once; then it is closed.')
      .meta({ restart: true }),
    max_message_bytes: z
      .int()
      .min(1)
      .max(64 * mebibyte)
      .default(4 * mebibyte)
      .describe('Largest message of a request; each is read whole for its decision.'),
    message_timeout_ms: milliseconds(600_000)
      .default(30_000)
      .describe(
        'Longest time for a message, from its first byte; for the first of a call, from the start of the call.',
      ),
    idle_timeout_ms: milliseconds(86_400_000)
      .default(300_000)
      .describe('How long a client connection without a call lives.')
      .meta({ restart: true }),
  })
  .describe('The listener for gRPC calls of the methods that the profile lists; absent, there is none.');
