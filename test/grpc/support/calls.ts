import { join } from 'node:path';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type Client,
  type GrpcObject,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type ServiceError,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { root } from '../../wire/support/build.js';

export { status } from '@grpc/grpc-js';

const definition = loadSync(join(root, 'test/grpc/fixtures/calls.proto'), { keepCase: true });
const packages = loadPackageDefinition(definition) as unknown as { engram: { v1: GrpcObject } };
const Service = packages.engram.v1['EngramService'] as ServiceClientConstructor;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- messages, read as they come
export type Message = any;

/** One message that has reached the memory server. */
export interface Got {
  readonly method: string;
  readonly message: Message;
  readonly metadata: Metadata;
}

const limits = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

/** A memory server that speaks gRPC: says what it got. */
export class MemoryServer {
  readonly got: Got[] = [];
  /** Ids of requests that are under way, and those that their callers broke off. */
  cancelled = 0;
  port = 0;
  #server: Server | null = null;
  /** Answers to Dream; empty for one that never ends. */
  dreams = 3;

  static async start(port = 0): Promise<MemoryServer> {
    const one = new MemoryServer();
    await one.listen(port);
    return one;
  }

  async listen(port: number): Promise<void> {
    const server = new Server(limits);
    server.addService(Service.service, this.#methods());
    this.port = await new Promise((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    this.#server = server;
  }

  stop(): void {
    this.#server?.forceShutdown();
    this.#server = null;
  }

  #note(method: string, message: Message, metadata: Metadata): { said: string; payload: unknown } {
    this.got.push({ method, message, metadata });
    return { said: `${method} in ${message.memory_space_id}`, payload: message.payload };
  }

  #unary =
    (method: string) =>
    (call: ServerUnaryCall<Message, Message>, done: sendUnaryData<Message>): void => {
      call.on('cancelled', () => (this.cancelled += 1));
      const answer = this.#note(method, call.request, call.metadata);
      const text = call.request.memory?.content ?? '';
      if (text === 'never') return;
      const trailers = new Metadata();
      trailers.set('x-debug', 'not for callers');
      if (text === 'fail') done({ code: status.NOT_FOUND, details: 'no such memory: 100 %', metadata: trailers });
      else done(null, answer, trailers);
    };

  #bidi =
    (method: string) =>
    (call: ServerDuplexStream<Message, Message>): void => {
      call.on('cancelled', () => (this.cancelled += 1));
      call.on('data', (message) => call.write(this.#note(method, message, call.metadata)));
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    };

  #methods(): UntypedServiceImplementation {
    return {
      Remember: this.#unary('Remember'),
      Recall: this.#unary('Recall'),
      ExecuteQuery: this.#unary('ExecuteQuery'),
      Introspect: this.#unary('Introspect'),
      Dream: (call: ServerWritableStream<Message, Message>): void => {
        call.on('cancelled', () => (this.cancelled += 1));
        const answer = this.#note('Dream', call.request, call.metadata);
        for (let n = 0; n < Math.max(1, this.dreams); n += 1) call.write(answer);
        if (this.dreams > 0) call.end();
      },
      Gather: (call: ServerReadableStream<Message, Message>, done: sendUnaryData<Message>): void => {
        let count = 0;
        call.on('data', (message) => {
          this.#note('Gather', message, call.metadata);
          count += 1;
        });
        call.on('end', () => done(null, { said: `${count}` }));
      },
      StreamingRemember: this.#bidi('StreamingRemember'),
      MemoryFlow: this.#bidi('MemoryFlow'),
      ObserveStream: this.#bidi('ObserveStream'),
      MemoryStream: this.#bidi('MemoryStream'),
    };
  }
}

/** How a call ended. */
export interface Ended {
  readonly code: number;
  readonly details: string;
  readonly answers: readonly Message[];
  readonly trailers: Metadata;
  readonly head: Metadata;
}

/** A caller with the official client. */
export class Caller {
  readonly #client: Client & Record<string, (...args: unknown[]) => Message>;

  constructor(port: number) {
    const client = new Service(`127.0.0.1:${port}`, credentials.createInsecure(), limits);
    this.#client = client as unknown as Client & Record<string, (...args: unknown[]) => Message>;
  }

  close(): void {
    this.#client.close();
  }

  /** One message, whatever comes back. */
  call(
    method: string,
    message: Message,
    fields: Readonly<Record<string, string>> = {},
    deadlineMs = 8_000,
  ): Promise<Ended> {
    return ended(this.#begin(method, fields, deadlineMs, message));
  }

  /** Several messages, for as long as the caller likes. */
  open(method: string, fields: Readonly<Record<string, string>> = {}, deadlineMs = 8_000): Message {
    return this.#begin(method, fields, deadlineMs);
  }

  #begin(method: string, fields: Readonly<Record<string, string>>, deadlineMs: number, message?: Message): Message {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(fields)) metadata.add(name, value);
    const options = { deadline: Date.now() + deadlineMs };
    const { requestStream, responseStream } = Service.service[method]!;
    const start = this.#client[method]!.bind(this.#client);
    if (requestStream && responseStream) return start(metadata, options);
    if (responseStream) return start(message, metadata, options);
    const answers: Message[] = [];
    const done = (error: ServiceError | null, answer: Message): void => {
      if (error === null) answers.push(answer);
    };
    const call = requestStream ? start(metadata, options, done) : start(message, metadata, options, done);
    call.answers = answers;
    return call;
  }
}

/** Waits for the end of a call. */
export function ended(call: Message): Promise<Ended> {
  const answers: Message[] = call.answers ?? [];
  let head = new Metadata();
  return new Promise((resolve) => {
    call.on('metadata', (metadata: Metadata) => (head = metadata));
    call.on('data', (answer: Message) => answers.push(answer));
    call.on('error', () => undefined);
    call.on('status', ({ code, details, metadata }: { code: number; details: string; metadata: Metadata }) => {
      setImmediate(() => resolve({ code, details, answers, trailers: metadata, head }));
    });
  });
}

/** Waits until a call has got so many answers, or has ended. */
export function answered(call: Message, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    call.on('data', () => {
      left -= 1;
      if (left === 0) resolve();
    });
    call.on('status', () => resolve());
    call.on('error', () => undefined);
  });
}
