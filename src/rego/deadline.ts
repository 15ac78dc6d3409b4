/**
 * Gives work a signal that ends it after a time, or together with `closing`.
 *
 * The timer holds the signal: one made by AbortSignal.any() over AbortSignal.timeout() may be collected before it fires (nodejs/node issue 57736).
 */
export async function withDeadline<T>(
  ms: number,
  closing: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const close = (): void => {
    own.abort(closing.reason);
  };
  const timer = setTimeout(() => {
    own.abort(new DOMException('it took too long', 'TimeoutError'));
  }, ms);
  closing.addEventListener('abort', close);
  if (closing.aborted) close();
  try {
    return await work(own.signal);
  } finally {
    clearTimeout(timer);
    closing.removeEventListener('abort', close);
  }
}
