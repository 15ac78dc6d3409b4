import type { DataClass, Permission } from './permissions.js';

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

/** A route of the profile, as far as decision, limits, record and forwarding need it. */
export interface RouteFacts {
  readonly id: string;
  readonly action: string;
  readonly permission: Permission;
  readonly class: DataClass;
  /** Server-sent events: no idle limit of the answer's body. */
  readonly stream: 'sse' | null;
}

/** What resolve found: which route, which spaces, and the bytes that go upstream. */
export interface TargetFacts {
  readonly route: RouteFacts;
  /** Raw path parameters by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly spaces: SpaceSet;
  /** Raw path and query after the carriers were cut or set. */
  readonly forwardTarget: string;
  /** Lower-case names of headers that must not pass: space carriers and trust headers. */
  readonly dropHeaders: ReadonlySet<string>;
  /** Headers that the profile sets towards the server, such as the canonical space. */
  readonly setHeaders: readonly (readonly [name: string, value: string])[];
  /** The whole body where it was read for the decision; it is forwarded as it is. */
  readonly body: Buffer | null;
}
