import { Fault, type Code, type Refusal } from '../model/codes.js';
import type { RpcId, RpcRefusal } from '../model/rpc.js';
import type { Trail } from '../model/trail.js';

/** Where refusals take the form of JSON-RPC, and where callers are told to get a credential. */
export interface RpcAnswers {
  /** Whether the endpoint at this path speaks JSON-RPC. */
  speaks(path: string): boolean;
  /** Where the endpoint at this path is described; null where nothing is published. @see RFC 9728 */
  metadataUrl(path: string): string | null;
}

/**
 * Codes of JSON-RPC errors. Whatever is not listed has its HTTP status for a code: the protocol leaves all numbers outside
 * -32768 … -32000 to applications, and wants no new ones inside.
 */
export const rpcCodes: Partial<Record<Code, number>> = {
  'resolve.body': -32700,
  'mcp.batch': -32600,
  'mcp.message': -32600,
  'mcp.method': -32601,
  'mcp.params': -32602,
  'mcp.unlisted': -32602,
  'mcp.header-mismatch': -32020,
  'mcp.version': -32022,
  'mcp.session': -32001,
  'self.bug': -32603,
};

/** Whether a refusal of this request takes the form of JSON-RPC. */
export const isRpc = (trail: Trail, answers: RpcAnswers | null): answers is RpcAnswers =>
  answers !== null && trail.request !== null && answers.speaks(trail.request.path);

/** A refusal as a JSON-RPC error that holds the same facts. @param problem the document that other clients get */
export function rpcErrorText(why: Refusal | Fault, trail: Trail, problem: Readonly<Record<string, unknown>>): string {
  const rpc: RpcRefusal | undefined = why instanceof Fault ? undefined : why.rpc;
  const id: RpcId = rpc?.id ?? trail.target?.facts.rpc?.id ?? null;
  const { status, detail } = problem;
  const data = {
    ...problem,
    ...(rpc?.mismatch !== undefined && { mismatch: rpc.mismatch }),
    ...(rpc?.supported !== undefined && { supported: rpc.supported }),
  };
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: rpcCodes[why.code] ?? status, message: detail, data } });
}

/** What a caller without a good credential is told: where to get one, and what it must be good for. @see RFC 6750, RFC 9728 */
export function challenge(status: number, missing: readonly string[], metadataUrl: string | null): string | null {
  if (status !== 401 && (status !== 403 || missing.length === 0)) return null;
  const parts = [
    ...(status === 403 ? ['error="insufficient_scope"', `scope="${missing.join(' ')}"`] : []),
    ...(metadataUrl === null ? [] : [`resource_metadata="${metadataUrl}"`]),
  ];
  return parts.length === 0 ? 'Bearer' : `Bearer ${parts.join(', ')}`;
}
