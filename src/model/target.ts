import type { DataClass, Permission } from './permissions.js';
import type { ListKind, RpcId, SessionUse } from './rpc.js';

/** The spaces that a request reaches: a set, or all. Never a guess. */
export interface SpaceSet {
  readonly all: boolean;
  /** Sorted, unique canonical names; empty when `all`, or when the route touches no space. */
  readonly ids: readonly string[];
  /** Those of `ids` that nobody knows. */
  readonly unknown: readonly string[];
  /** False when the server's default was taken because no carrier was present. */
  readonly explicit: boolean;
}

/** What a tunnel may carry, and which of its messages are decided. */
export interface WebSocketFacts {
  /** `first` decides once, `each` whenever a message names a space; both read text that is strict JSON. */
  readonly messages: 'none' | 'first' | 'each';
  /** Those that a client may offer the server. */
  readonly subprotocols: readonly string[];
  /** `permessage-deflate` may be agreed on; nothing is read then. */
  readonly compression: boolean;
}

/** A route of the profile, as far as decision, limits, record and forwarding need it. */
export interface RouteFacts {
  readonly id: string;
  readonly action: string;
  readonly permission: Permission;
  readonly class: DataClass;
  /** Server-sent events, or a WebSocket: no idle limit of the answer's body. */
  readonly stream: 'sse' | 'websocket' | null;
  readonly websocket?: WebSocketFacts;
}

/** What an answer must hold before the caller sees it. Pointers are lists of keys; an empty one is the document itself. */
export interface AnswerRule {
  /** `check`: each item's field names a decided space, or there is no answer; `filter`: items of other spaces are taken out. */
  readonly kind: 'check' | 'filter';
  /** Where the list stands; null where the answer is one object. */
  readonly items: readonly string[] | null;
  /** Where the space stands in an item. */
  readonly field: readonly string[];
  /** Names beside the list, and beside the objects on the way to it, that pass a filter. */
  readonly keep: readonly string[];
}

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

/** What resolve found: which route, which spaces, and the bytes that go upstream. */
export interface TargetFacts {
  readonly route: RouteFacts;
  /** Raw path parameters by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly spaces: SpaceSet;
  /** Name of the tool that is called; null where it is no call of a tool. */
  readonly tool: string | null;
  /** Null where the answer is passed on as it comes. */
  readonly answer: AnswerRule | null;
  /** The spaces are those of an object that was looked up: a no must not tell that it is there. */
  readonly isLookedUp: boolean;
  /** Null where the route does not speak JSON-RPC. */
  readonly rpc: RpcFacts | null;
  /** Raw path and query after the carriers were cut or set. */
  readonly forwardTarget: string;
  /** Lower-case names of headers that must not pass: space carriers and trust headers. */
  readonly dropHeaders: ReadonlySet<string>;
  /** Headers that the profile sets towards the server, such as the canonical space. */
  readonly setHeaders: readonly (readonly [name: string, value: string])[];
  /** The whole body where it was read for the decision; it is forwarded as it is. */
  readonly body: Buffer | null;
}

/** Route, spaces and tool, as far as a head tells them. */
export type HeadFacts = Pick<TargetFacts, 'route' | 'params' | 'spaces' | 'tool'>;
