/** What a call ends with. @see https://grpc.io/docs/guides/status-codes/ */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** By number: the status of HTTP that says the same, so that records and metrics of both kinds can be read together. */
const ofHttp: readonly number[] = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

export const httpStatusOf = (status: number): number => ofHttp[status] ?? 500;

/** Headers as HTTP/2 wants them: names in lower case, once; lines of one name are joined, which says the same. */
export function joinedHeaders(list: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = (list[i] ?? '').toLowerCase();
    const value = list[i + 1] ?? '';
    const former = headers[name];
    headers[name] = former === undefined ? value : `${former},${value}`;
  }
  return headers;
}
