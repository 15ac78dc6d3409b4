import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

/** A message with its prefix. */
export function framed(message: Buffer, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** A length-delimited field. */
export const field = (number: number, content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
};

export interface RawEnd {
  readonly status: number;
  readonly grpcStatus: string;
  readonly message: string;
  readonly rst: number;
  readonly id: string;
}

export interface RawCall {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly bytes: Buffer;
  /** False leaves the call open behind the bytes. */
  readonly isWhole?: boolean;
}

/** HTTP/2 without a library for gRPC: sends what no honest client would. */
export class RawCaller {
  readonly session: ClientHttp2Session;
  readonly #key: string;

  constructor(port: number, key: string) {
    this.session = connect(`http://127.0.0.1:${port}`);
    this.session.on('error', () => undefined);
    this.#key = key;
  }

  close(): void {
    this.session.destroy();
  }

  begin({
    path = '/engram.v1.EngramService/Remember',
    headers = {},
    bytes,
    isWhole = true,
  }: RawCall): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${this.#key}`,
      ...headers,
    });
    stream.on('error', () => undefined);
    if (isWhole) stream.end(bytes);
    else stream.write(bytes);
    return stream;
  }

  call(call: RawCall): Promise<RawEnd> {
    const stream = this.begin(call);
    let fields: Record<string, string> = {};
    stream.on('response', (head) => (fields = { ...fields, ...texts(head) }));
    stream.on('trailers', (trailers) => (fields = { ...fields, ...texts(trailers) }));
    stream.resume();
    return new Promise((resolve) => {
      stream.on('close', () =>
        resolve({
          status: Number(fields[':status'] ?? 0),
          grpcStatus: fields['grpc-status'] ?? '',
          message: fields['grpc-message'] ?? '',
          id: fields['x-request-id'] ?? '',
          rst: stream.rstCode,
        }),
      );
    });
  }
}

const texts = (fields: object): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
