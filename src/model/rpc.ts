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

/** What a refusal in JSON-RPC form says beside its code. */
export interface RpcRefusal {
  readonly id: RpcId;
  /** A header that does not say what the body says, and where the body says it. */
  readonly mismatch?: { readonly header: string; readonly body: string };
  /** Revisions of the protocol that are accepted. */
  readonly supported?: readonly string[];
}
