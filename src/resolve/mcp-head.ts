import type { JsonObject } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { Target } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { RpcId, SessionUse } from '../model/rpc.js';
import type { Sessions } from '../model/session.js';
import type { Subject } from '../model/subject.js';
import type { RouteFacts, RpcFacts } from '../model/target.js';
import type { CompiledRoute } from './compile.js';
import type { Head } from './head.js';
import type { Call, McpTable } from './mcp.js';
import { headerProblem } from './mcp-headers.js';
import { readMessage, refuseRpc, type Message } from './mcp-message.js';

/** What the gateway knows of MCP beside the profile. */
export interface McpContext {
  readonly sessions: Sessions;
  readonly allowedOrigins: ReadonlySet<string>;
}

export const noSessions: McpContext = {
  allowedOrigins: new Set(),
  sessions: { ownerOf: () => null, opened: () => false, ended: () => undefined },
};

/** How an MCP request differs from any other that takes the same way. */
export interface McpUse {
  readonly rpc: RpcFacts;
  readonly tool: string | null;
  /** What the policy sees beside the parameters of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** Lower-case names of headers that must not pass. */
  readonly dropHeaders: readonly string[];
  readonly setHeaders: readonly (readonly [name: string, value: string])[];
}

/** Goes on as with any other route, from a body that was read. */
export type Finish = (
  route: CompiledRoute,
  use: McpUse,
  body: { readonly bytes: Buffer; readonly fields: JsonObject },
) => Result<Target, Refusal>;

interface McpRequest {
  readonly request: CleanRequest;
  readonly subject: Subject;
  readonly route: CompiledRoute;
  readonly table: McpTable<CompiledRoute>;
}

/** What the head of a request to an MCP endpoint tells: nobody else's session, no page of another origin, a revision that is accepted. */
export function openMcp(
  { sessions, allowedOrigins }: McpContext,
  { request, subject, table, route }: McpRequest,
): Result<SessionUse, Refusal> {
  const origin = request.header('origin');
  if (origin !== undefined && !allowedOrigins.has(origin))
    return no(refuse('mcp.origin', 'an origin that is not listed'));
  const version = request.header('mcp-protocol-version');
  if (route.method !== 'POST' && version !== undefined && !table.versions.has(version))
    return no(
      refuseRpc('mcp.version', 'a revision that the profile does not list', {
        id: null,
        supported: [...table.versions],
      }),
    );
  const owner = `${subject.kind}:${subject.id}`;
  const id = request.header('mcp-session-id');
  if (id === undefined) return ok(new OwnSession(sessions, owner, null));
  // Somebody else's session is to this caller what an unknown one is.
  if (!sessionForm.test(id) || sessions.ownerOf(id) !== owner)
    return no(refuse('mcp.session', 'a session that this caller has not opened'));
  return ok(new OwnSession(sessions, owner, id));
}

const sessionForm = /^[!-~]{1,256}$/;

class OwnSession implements SessionUse {
  readonly #sessions: Sessions;
  readonly #owner: string;
  readonly #id: string | null;

  constructor(sessions: Sessions, owner: string, id: string | null) {
    this.#sessions = sessions;
    this.#owner = owner;
    this.#id = id;
  }

  /** One that the request named goes back as it is; a new one is bound first. */
  shown(id: string): boolean {
    return this.#id === null ? sessionForm.test(id) && this.#sessions.opened(id, this.#owner) : id === this.#id;
  }

  ended(): void {
    if (this.#id !== null) this.#sessions.ended(this.#id);
  }
}

/** A stream of the server's own messages, and the end of a session, say nothing in a body. */
export function bodilessUse(session: SessionUse, table: McpTable<CompiledRoute>, { method }: CompiledRoute): McpUse {
  // A stream may repeat what was sent before, lists among it.
  const lists = method === 'GET' ? table.lists : null;
  return useOf({ id: null, session, lists }, { tool: null, params: {} }, table);
}

const identity = [['Accept-Encoding', 'identity']] as const;

function useOf(
  rpc: RpcFacts,
  { tool, params }: Pick<McpUse, 'tool' | 'params'>,
  table: McpTable<CompiledRoute>,
): McpUse {
  const isRead = rpc.lists !== null; // its answer must be legible
  const dropped = ['origin', ...(table.isResumable ? [] : ['last-event-id']), ...(isRead ? ['accept-encoding'] : [])];
  return { rpc, tool, params, dropHeaders: dropped, setHeaders: isRead ? identity : [] };
}

/** A message of an MCP client: what it turns out to be is known when its body is read. */
export class McpHead implements Head {
  readonly preview = null;
  readonly asksFirst = false;
  readonly #request: McpRequest;
  readonly #session: SessionUse;
  readonly #rest: { readonly inspectMaxBytes: number; readonly finish: Finish };

  constructor(
    request: McpRequest,
    session: SessionUse,
    rest: { readonly inspectMaxBytes: number; readonly finish: Finish },
  ) {
    this.#request = request;
    this.#session = session;
    this.#rest = rest;
  }

  /** The message is gone; which of the endpoint's routes it took is known. */
  routeNow({ id }: RouteFacts): RouteFacts | null {
    return this.#request.table.routes.find(({ facts }) => facts.id === id)?.facts ?? null;
  }

  async complete(): Promise<Result<Target, Refusal>> {
    const { request } = this.#request;
    const body = await request.body.collect(this.#rest.inspectMaxBytes);
    if (!body.ok) return body;
    const message = readMessage(body.value);
    if (!message.ok) return message;
    const call = this.#callOf(message.value);
    if (!call.ok) return call;
    const target = this.#rest.finish(call.value.route, this.#useOf(message.value, call.value), {
      bytes: body.value,
      fields: message.value.fields,
    });
    return target.ok ? target : no(answering(target.why, message.value.id));
  }

  #callOf(message: Message): Result<Call<CompiledRoute>, Refusal> {
    const { request, table } = this.#request;
    const wrong = headerProblem(request, message, { versions: table.versions, params: table.headersOf(message) });
    return wrong === null ? table.call(message) : no(wrong);
  }

  #useOf({ id }: Message, { tool, params, isList }: Call<CompiledRoute>): McpUse {
    const { table } = this.#request;
    return useOf({ id, session: this.#session, lists: isList ? table.lists : null }, { tool, params }, table);
  }
}

/** A refusal that says which message it answers. */
const answering = (why: Refusal, id: RpcId): Refusal => (why.rpc === undefined ? { rpc: { id }, ...why } : why);
