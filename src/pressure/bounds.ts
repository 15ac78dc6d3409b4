const kib = 1_024;
const mib = 1_024 * kib;

/** Every bound that memory depends on. */
export interface Bounds {
  readonly connections: number;
  readonly requests: number;
  readonly streams: number;
  readonly bodyBytes: number;
  readonly answerBytes: number;
  /** Client connections for gRPC; 0 where nobody listens for it. */
  readonly callConnections: number;
  readonly hashes: number;
  readonly auditBytes: number;
  readonly keys: number;
  readonly buckets: number;
}

export interface MemoryPart {
  readonly name: string;
  readonly bytes: number;
}

// What one of each takes at most; measured, see docs/explanation/overload.md.
const processBytes = 100 * mib;
const connectionBytes = 12 * kib;
const requestBytes = 32 * kib;
const streamBytes = 96 * kib;
const callConnectionBytes = 64 * kib;
const hashBytes = 19 * mib;
const keyBytes = 256;
const bucketBytes = 200;

/** What the process takes when every bound is reached at once, largest part first. */
export const memoryParts = (bounds: Bounds): readonly MemoryPart[] =>
  [
    { name: 'the process itself', bytes: processBytes },
    { name: 'gateway.max_connections', bytes: bounds.connections * connectionBytes },
    { name: 'gateway.max_requests_in_progress', bytes: bounds.requests * requestBytes },
    { name: 'upstream.stream_connections', bytes: bounds.streams * streamBytes },
    { name: 'gateway.inspect_max_bytes_in_progress', bytes: bounds.bodyBytes },
    { name: 'upstream.objects.answer_bytes_in_progress', bytes: bounds.answerBytes },
    { name: 'grpc.max_connections', bytes: bounds.callConnections * callConnectionBytes },
    { name: 'keys.hash_concurrency', bytes: bounds.hashes * hashBytes },
    { name: 'audit.queue_bytes', bytes: bounds.auditBytes },
    { name: 'keys.cache_entries', bytes: bounds.keys * keyBytes },
    { name: 'limits.max_buckets', bytes: bounds.buckets * bucketBytes },
  ].sort((one, other) => other.bytes - one.bytes);

export const inMebibytes = (bytes: number): string => `${String(Math.ceil(bytes / mib))} MiB`;
