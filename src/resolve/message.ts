import type { JsonObject } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import { readStrictObject } from '../base/strict-json.js';
import { refuse, type Refusal } from '../model/codes.js';
import { Target } from '../model/proofs.js';
import type { TunnelMessage } from '../model/lease.js';
import type { CleanRequest } from '../model/request.js';
import type { Subject } from '../model/subject.js';
import type { CompiledRoute, Profile } from './compile.js';
import type { RouteData } from './profile-schema.js';
import { decideSpaces } from './space.js';
import { Statement } from './statement.js';
import { foldCase, statedInTree } from './tree-rules.js';

export interface MessageContext {
  readonly profile: Profile;
  readonly isKnownSpace: (name: string) => boolean;
}

/** @returns what the message reaches; null where it names nothing and decides nothing */
export type ReadMessage = (
  request: CleanRequest,
  subject: Subject,
  message: TunnelMessage,
) => Result<Target | null, Refusal>;

/** Reads messages as strictly as bodies: what decides is what the server reads. */
export function createMessageReader({ profile, isKnownSpace: isKnown }: MessageContext): ReadMessage {
  return (request, subject, { text, isFirst }) => {
    const found = profile.table.find(request.method, request.path);
    const route = found !== null && 'value' in found ? found.value : null;
    const rules = route?.message ?? null;
    if (route === null || rules === null)
      return no(refuse('resolve.unknown-route', 'no WebSocket of the profile by now'));
    const fields = readStrictObject(text);
    if (!fields.ok) return no(refuse('tunnel.message', fields.why));
    const stated = new Statement(profile.isCanonical);
    const wrong = rules.tree === null ? null : statedInTree(fields.value, rules.tree, stated);
    if (wrong !== null) return no(wrong);
    const isDeciding = !stated.isEmpty || isMeant(fields.value, route.data.websocket, isFirst);
    if (!isDeciding)
      return isFirst ? no(refuse('tunnel.message', 'the first message is not the one that names the space')) : ok(null);
    const spaces = decideSpaces(profile, rules, { stated, subject, isRewritten: false, isKnown });
    return spaces.ok ? ok(targetOf(request, rules, { spaces: spaces.value, text })) : spaces;
  };
}

/** A field that is no string, or another spelling of its name, cannot be judged: it counts as the word. Without `when` only the first message decides unasked. */
function isMeant(fields: JsonObject, data: RouteData['websocket'], isFirst: boolean): boolean {
  if (data?.when === undefined) return isFirst;
  const { field, equals } = data.when;
  for (const [key, value] of fields) {
    if (foldCase(key) !== foldCase(field)) continue;
    if (key !== field || typeof value !== 'string' || foldCase(value) === foldCase(equals)) return true;
  }
  return false;
}

const noNames: ReadonlySet<string> = new Set();

const targetOf = (
  request: CleanRequest,
  { facts }: CompiledRoute,
  { spaces, text }: { readonly spaces: Target['facts']['spaces']; readonly text: Buffer },
): Target =>
  Target.resolved(request, {
    route: facts,
    params: {},
    spaces,
    tool: null,
    answer: null,
    rpc: null,
    isLookedUp: false,
    forwardTarget: request.path,
    dropHeaders: noNames,
    setHeaders: [],
    body: text,
  });
