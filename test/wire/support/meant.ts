import type { ReadRequest } from './strict-reader.js';
import { readAll } from './strict-reader.js';
import { secondReading } from './second-reader.js';

/** What two readings have in common. */
interface Got {
  readonly method: string;
  readonly target: string;
  readonly body: Buffer;
}

const carriers = /^(?:space|memory_space_id)(?:=|$)/;

/** In the form in which it is forwarded: origin-form, without the query's carriers of a space. */
function forwardedTarget(target: string): string {
  const [path = '', query] = target.replace(/^http:\/\/[^/?#]+/i, '').split(/\?(.*)/s);
  if (query === undefined) return path;
  const kept = query.split('&').filter((pair) => !carriers.test(decodeURIComponent(pair)));
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

const isSame = (meant: Got | undefined, got: Got): boolean =>
  meant?.method === got.method && forwardedTarget(meant.target) === got.target && meant.body.equals(got.body);

/** Whether the request of this number among the bytes, as a strict server or Node's reads it, is the one that was got. */
export async function isAsSent(bytes: Buffer, at: number, got: ReadRequest): Promise<boolean> {
  return isSame(readAll(bytes).requests[at], got) || isSame((await secondReading(bytes)).requests[at], got);
}
