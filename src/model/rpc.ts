import type { HeadFacts } from './trail.js';

/** Id of a JSON-RPC message as it may be sent back. */
export type RpcId = string | number | null;

/** A session that the memory server gives out belongs to whoever opened it. */
export interface SessionUse {
  /** Whether an id in an answer may go to the caller. One that opens a session is the caller's from then on. */
  shown(id: string): boolean;
  /** The memory server knows the session no more. */
  ended(): void;
}

export const listKinds = ['tools', 'resources', 'resourceTemplates', 'prompts'] as const;
export type ListKind = (typeof listKinds)[number];

/** What each name of a list would be, were it used; null for what nobody may use. */
export type RpcLists = Readonly<Record<ListKind, (name: string) => HeadFacts | null>>;

/** A JSON-RPC request: refusals and answers take its form. */
export interface RpcFacts {
  /** Null where it is a notification, or has no id that may be sent back. */
  readonly id: RpcId;
  readonly session: SessionUse;
  /** What an answer may list; null where the answer holds no list. */
  readonly lists: RpcLists | null;
}

/** What a refusal in JSON-RPC form says beside its code. */
export interface RpcRefusal {
  readonly id: RpcId;
  /** A header that does not say what the body says, and where the body says it. */
  readonly mismatch?: { readonly header: string; readonly body: string };
  /** Revisions of the protocol that are accepted. */
  readonly supported?: readonly string[];
}
