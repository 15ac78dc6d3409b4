import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { CleanRequest } from '../model/request.js';
import type { SpaceSet } from '../model/target.js';
import type { Profile } from './compile.js';
import type { CompiledMethod } from './grpc-compile.js';
import { readHeaders } from './head-carriers.js';
import { Statement } from './statement.js';

const whole: SpaceSet = { all: true, ids: [], unknown: [], explicit: true };
const untouched: SpaceSet = { all: false, ids: [], unknown: [], explicit: true };

export interface CallFacts {
  readonly request: CleanRequest;
  readonly method: CompiledMethod;
  /** Strings of the message, by path. An empty one is as good as none: that is how the format tells a default. */
  readonly texts: ReadonlyMap<string, string>;
  /** The space of the call's first message; null in the first one itself. */
  readonly first: SpaceSet | null;
}

/** The spaces that a message reaches: what it names, and what the metadata names, must be one. */
export function spacesOfCall(
  profile: Profile,
  facts: CallFacts,
  isKnown: (name: string) => boolean,
): Result<SpaceSet, Refusal> {
  const { method, texts } = facts;
  const { space: rule } = method.data;
  const stated = new Statement(profile.isCanonical);
  const wrong = collect(profile, facts, stated);
  if (wrong !== null) return no(wrong);
  if (rule === 'NONE' && stated.isEmpty) return ok(untouched);
  if (rule === 'ALL' || rule === 'UNSCOPED') return ok(whole);
  const isNamed = rule === 'NONE' || method.fixed !== null || (texts.get(method.obeyed ?? '') ?? '') !== '';
  const name = isNamed ? ok(stated.ids?.[0] ?? null) : absent(profile, facts, stated);
  if (!name.ok) return name;
  if (name.value === null) return ok({ ...whole, explicit: false });
  const isOther = facts.first !== null && method.data.absent === 'call' && facts.first.ids[0] !== name.value;
  if (isOther) return no(refuse('space.conflict', 'a later message names another space than the first'));
  const isChecked = profile.data.space.unknown === 'refuse' && method.data.action !== 'space:create';
  const unknown = isChecked && !isKnown(name.value) ? [name.value] : [];
  return ok({ all: false, ids: [name.value], unknown, explicit: isNamed });
}

function collect(profile: Profile, { request, method, texts }: CallFacts, stated: Statement): Refusal | null {
  const { obeyed, compared, fixed } = method;
  const wrong = readHeaders(profile, request, stated) ?? (fixed === null ? null : stated.one(fixed, false));
  if (wrong !== null) return wrong;
  for (const path of obeyed === null ? compared : [obeyed, ...compared]) {
    const text = texts.get(path) ?? '';
    const other = text === '' ? null : stated.one(text, path === obeyed);
    if (other !== null) return other;
  }
  return null;
}

/** The field that the server obeys is empty: what others say does not count, but must not say otherwise. @returns null for every space */
function absent({ data }: Profile, { method, first }: CallFacts, stated: Statement): Result<string | null, Refusal> {
  const absence = method.data.absent ?? data.space.absent;
  const name =
    absence === 'call' ? (first?.ids[0] ?? null) : absence === 'default' ? (data.space.default ?? null) : null;
  if (absence !== 'ALL' && name === null)
    return no(refuse('space.absent', 'the message names no space, and there is nothing to take instead'));
  if (!stated.isEmpty && stated.ids?.[0] !== name)
    return no(refuse('space.conflict', 'what the server does not obey names another space'));
  return ok(name);
}
