import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { Subject } from '../model/subject.js';
import type { SpaceSet } from '../model/target.js';
import type { CompiledRoute, Profile } from './compile.js';
import type { Statement } from './statement.js';

const whole: SpaceSet = { all: true, ids: [], unknown: [], explicit: true };
const untouched: SpaceSet = { all: false, ids: [], unknown: [], explicit: true };

export interface Deciding {
  readonly stated: Statement;
  readonly subject: Subject;
  /** The decided space will be written into the body. */
  readonly isRewritten: boolean;
  readonly isKnown: (name: string) => boolean;
}

/** The spaces that the request reaches, once every carrier was read. */
export function decideSpaces(profile: Profile, route: CompiledRoute, deciding: Deciding): Result<SpaceSet, Refusal> {
  const { stated } = deciding;
  const { space: rule } = route.data;
  // Nothing is reached, but a space that is named all the same must be one of the caller's.
  if (rule === 'NONE' && stated.isEmpty) return ok(untouched);
  // An object without a space is reached by those alone who may reach every space.
  if (rule === 'ALL' || rule === 'UNSCOPED') return ok(whole);
  if (stated.isEmpty || !isSeen(route, deciding)) return absent(profile, route, deciding);
  return ok(stated.ids === null ? whole : setOf(stated.ids, true, { profile, route, deciding }));
}

/** A value decides only where the server sees it: in a carrier that we write, or in one that it obeys and that stays as it is. */
function isSeen(route: CompiledRoute, { stated, isRewritten }: Deciding): boolean {
  if (!Array.isArray(route.data.space) || stated.isRead) return true;
  return stated.ids?.length === 1 && (route.isTold || isRewritten);
}

function absent(profile: Profile, route: CompiledRoute, deciding: Deciding): Result<SpaceSet, Refusal> {
  const { stated } = deciding;
  const absence = route.data.absent ?? profile.data.space.absent;
  if (absence === 'refuse')
    return no(refuse('space.absent', 'no carrier that the route obeys, and nothing to take instead'));
  const name = absence === 'own' ? ownSpace(profile, route, deciding) : (profile.data.space.default ?? null);
  if (absence !== 'ALL' && name === null)
    return no(refuse('space.absent', 'no carrier that the route obeys, and the caller has not one space'));
  const isMeant = stated.isEmpty || (absence !== 'ALL' && stated.ids?.length === 1 && stated.ids[0] === name);
  if (!isMeant) return no(refuse('space.conflict', 'a carrier that the route does not obey names another space'));
  if (absence === 'ALL' || name === null) return ok({ ...whole, explicit: false });
  return ok(setOf([name], false, { profile, route, deciding }));
}

/** The only space that the key names; where the server cannot be told of it, nothing is. */
function ownSpace(profile: Profile, route: CompiledRoute, { subject, isRewritten }: Deciding): string | null {
  const [only, ...others] = subject.spaces;
  const isOne = only !== undefined && others.length === 0 && profile.isCanonical(only); // the form of a name excludes *
  return isOne && (route.isTold || isRewritten) ? only : null;
}

function setOf(
  ids: readonly string[],
  explicit: boolean,
  { profile, route, deciding }: { profile: Profile; route: CompiledRoute; deciding: Deciding },
): SpaceSet {
  const isChecked = profile.data.space.unknown === 'refuse' && route.data.action !== 'space:create';
  const unknown = isChecked ? ids.filter((name) => !deciding.isKnown(name)) : [];
  return { all: false, ids, unknown, explicit };
}
