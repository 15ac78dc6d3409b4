/** Told by the caller about where it comes from or what it really wants: removed, and set by us where we know better. */
export const trustHeaders: readonly string[] = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-uri',
  'x-forwarded-prefix',
  'x-forwarded-method',
  'x-forwarded-server',
  'x-forwarded-scheme',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-original-url',
  'x-original-uri',
  'x-original-method',
  'x-original-host',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
];

/** Read by the gate or by a stage behind it: exactly one line, plain ASCII, no alias. */
export const ownHeaders: readonly string[] = [
  'authorization',
  'x-api-key',
  'cookie',
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'content-encoding',
  'expect',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'x-request-id',
];

/**
 * Fields of one value that have no meaning to us. Of two lines some servers take the first, some the last, and nginx refuses them
 * all: whoever reads the record must not have to know which. RFC 9110 lets the two `If-…Match` stand twice; nginx does not.
 *
 * @see RFC 9110 §5.3
 */
export const singleFields: ReadonlySet<string> = new Set([
  'connection',
  'user-agent',
  'referer',
  'from',
  'date',
  'max-forwards',
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'content-range',
  'content-location',
]);

/** A header name as lenient servers see it: everything outside [a-z0-9] is a hyphen, so `X_Auth_User` shows as what it plays. */
export const canonicalName = (lowerCase: string): string => lowerCase.replaceAll(/[^a-z0-9]/g, '-');
