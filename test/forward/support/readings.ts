import { ResponseReader } from '../../../src/forward/response-reader.js';
import { Fault } from '../../../src/model/codes.js';

/** What a reader makes of the bytes of a connection, which ends behind them. */
export interface AnswerReading {
  /** Null when no head was taken. */
  readonly status: number | null;
  /** Names and values alternating. */
  readonly headers: readonly string[];
  /** As far as it came. */
  readonly body: Buffer;
  readonly isWhole: boolean;
  readonly isRefused: boolean;
  /** Whether the connection may carry another request. */
  readonly mayRest: boolean;
}

export function ownReading(pieces: readonly Buffer[], method: string): AnswerReading {
  let status: number | null = null;
  let headers: readonly string[] = [];
  const body: Buffer[] = [];
  let [isWhole, isRefused, mayRest] = [false, false, false];
  const reader = new ResponseReader(method, {
    head: (head) => {
      ({ status, headers } = head);
    },
    data: (part) => body.push(Buffer.from(part)),
  });
  try {
    for (const [at, piece] of pieces.entries()) {
      const read = reader.read(piece);
      if (!reader.isDone) continue;
      // A surplus closes the connection, in the same piece or in a later one.
      mayRest = read === piece.length && at === pieces.length - 1 && (reader.head?.restMs ?? 0) > 0;
      break;
    }
    isWhole = reader.finish();
  } catch (thrown) {
    if (!(thrown instanceof Fault && thrown.code === 'upstream.invalid')) throw thrown;
    isRefused = true;
  }
  return { status, headers, body: Buffer.concat(body), isWhole, isRefused, mayRest };
}

/** @returns null when they agree, or when ours is the stricter one; otherwise what ours took that the other did not */
export function laxity(ours: AnswerReading, other: AnswerReading): string | null {
  if (ours.status === null) return null;
  if (ours.status !== other.status) return `status ${ours.status}, not ${String(other.status)}`;
  const [mine, theirs] = [plain(ours.headers), plain(other.headers)];
  if (mine !== theirs) return `headers ${mine}, not ${theirs}`;
  if (!other.body.subarray(0, ours.body.length).equals(ours.body)) return 'a body that is not the other’s';
  if (!ours.isWhole) return null;
  if (!other.isWhole || other.isRefused) return 'an answer that is not whole';
  if (ours.body.length !== other.body.length) return `${ours.body.length} bytes, not ${other.body.length}`;
  return ours.mayRest && !other.mayRest ? 'a connection that must close' : null;
}

/** Blanks around a value mean nothing. */
const plain = (headers: readonly string[]): string =>
  JSON.stringify(headers.map((part) => part.replace(/^[ \t]+|[ \t]+$/g, '')));

export const isSame = (one: AnswerReading, other: AnswerReading): boolean =>
  JSON.stringify({ ...one, body: one.body.toString('latin1') }) ===
  JSON.stringify({ ...other, body: other.body.toString('latin1') });
