import type { LoadedConfig } from '../config/config.js';
import { createGrpcUpstream } from '../forward/forward.js';
import type { LongLived } from '../reload/reload.js';

/** What gRPC needs beside the rest; null where the configuration opens no listener for it. */
export function callParts({ config }: LoadedConfig): LongLived['calls'] {
  const { grpc: settings, upstream } = config;
  if (settings === undefined) return null;
  return {
    settings,
    upstream: createGrpcUpstream({
      origin: settings.upstream,
      connectTimeoutMs: upstream.connect_timeout_ms,
      streams: upstream.stream_connections,
      streamsPerSubject: upstream.streams_per_subject,
    }),
  };
}
