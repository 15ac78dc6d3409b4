import type { Policy } from '../authorize/authorize.js';
import type { LoadedConfig } from '../config/config.js';
import { spacesProblem } from '../identify/identify.js';
import { looksUpItsSpace, type Profile } from '../resolve/resolve.js';
import { credentialForm } from './credential.js';
import type { Findings } from './findings.js';

/** What no part can say of itself. */
export function checkTogether(
  loaded: LoadedConfig,
  { profile, policy }: { readonly profile: Profile | null; readonly policy: Policy | null },
  found: Findings,
): void {
  checkTokens(loaded, policy, found);
  for (const check of [checkNames, checkCalls, checkObserve, checkCredential]) check(loaded, profile, found);
}

// Names that steer HTTP itself: an identity under one of them would break every request.
const steering =
  /^(?:host|connection|content-length|content-type|content-encoding|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|x-forwarded-.*|x-request-id)$/i;

/** No two headers of one name go upstream: of those that tell who calls, the credential, and the carriers of the space. */
function checkNames({ config }: LoadedConfig, profile: Profile | null, found: Findings): void {
  if (profile === null) return;
  const { identity_headers: ofProfile } = profile.data;
  const own = Object.entries(config.identity_headers).flatMap(([field, name]) =>
    name === null ? [] : [{ path: `identity_headers.${field}`, name }],
  );
  const wanted = config.upstream.credential;
  if (wanted !== undefined)
    own.push({ path: 'upstream.credential.header', name: credentialForm(wanted, profile).header });
  const ofProfileNames = new Set(Object.keys(ofProfile).map((name) => name.toLowerCase()));
  for (const { path, name } of own) {
    const key = name.toLowerCase();
    if (profile.dropHeaders.has(key))
      found.tell(path, `"${name}" is a space carrier or trust header of the profile: use another name`);
    if (ofProfileNames.has(key))
      found.tell(path, `"${name}" is one of the profile's identity_headers too: use another name, or null`);
  }
  for (const name of Object.keys(ofProfile)) {
    if (steering.test(name) || profile.dropHeaders.has(name.toLowerCase()))
      found.tell(
        'profile',
        `identity_headers: "${name}" is a carrier, a trust header or a name of HTTP itself: use another one`,
      );
  }
}

type Wanted = NonNullable<LoadedConfig['config']['upstream']['credential']>;

/** A credential that fits the server: one that takes the user from it must not get the same for everybody. */
function checkCredential({ config }: LoadedConfig, profile: Profile | null, found: Findings): void {
  const wanted = config.upstream.credential;
  if (profile === null || wanted === undefined) return;
  const { name, space } = profile.data;
  const isShared = wanted.from_env !== undefined || wanted.from_file !== undefined;
  if (isShared && readsCredential(profile))
    found.tell(
      'upstream.credential',
      `${name} takes the space from its credential: one for all makes all callers one; use mint, or by_space without a default`,
    );
  for (const one of Object.keys(wanted.by_space ?? {}))
    if (!profile.isCanonical(one))
      found.tell(`upstream.credential.by_space.${one}`, `is no space of the profile: must match ${space.pattern}`);
  checkFit(wanted, profile, found);
  const admin = wanted.mint?.admin_subject;
  if (admin !== undefined && profile.isCanonical(admin))
    found.tell(
      'upstream.credential.mint.admin_subject',
      `"${admin}" could be a space (${space.pattern}), and who has it the administrator: use a name that cannot`,
    );
}

/** What the profile knows to fail at the server: said at load, not by every request. */
function checkFit({ by_space: bySpace, mint, ...rest }: Wanted, { data }: Profile, found: Findings): void {
  const hasDefault = rest.from_env !== undefined || rest.from_file !== undefined;
  const asking = data.routes.filter(looksUpItsSpace).map(({ id }) => id);
  if (bySpace !== undefined && !hasDefault && asking.length > 0)
    found.tell(
      'upstream.credential.by_space',
      `${data.name} is asked which space an object has before a space is known (${asking.join(', ')}): give a from_file or from_env beside it`,
    );
  const refused = new Set(data.upstream_credential?.refused_claims);
  for (const claim of Object.keys(mint?.claims ?? {}))
    if (refused.has(claim))
      found.tell(
        `upstream.credential.mint.claims.${claim}`,
        `${data.name} refuses tokens with this claim: leave it out`,
      );
}

const readsCredential = ({ data }: Profile): boolean => {
  const kind = data.upstream_credential?.kind;
  const isClaim = (text: string): boolean => text.startsWith('claim:');
  return (
    kind === 'minted' ||
    kind === 'per_space' ||
    data.routes.some(({ space }) => Array.isArray(space) && space.some(isClaim))
  );
};

/** As an expression over a whole id. */
export const routePattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);

/** A rule that nothing can fit would be taken for one that fits. */
function checkObserve({ config }: LoadedConfig, profile: Profile | null, found: Findings): void {
  if (profile === null) return;
  const ids = [...profile.data.routes, ...profile.data.grpc].map(({ id }) => id);
  config.observe.forEach(({ routes = [], spaces = [] }, index) => {
    const path = `observe.${String(index)}`;
    for (const text of routes.filter((one) => !ids.some((id) => routePattern(one).test(id))))
      found.tell(`${path}.routes`, `"${text}" fits no route of the profile ${profile.data.name}`);
    for (const name of spaces.filter((one) => !profile.isCanonical(one)))
      found.tell(`${path}.spaces`, `"${name}" is no space of the profile: must match ${profile.data.space.pattern}`);
  });
}

/** A listener for calls that are all refused would be a mistake that nobody notices. */
function checkCalls({ config }: LoadedConfig, profile: Profile | null, found: Findings): void {
  if (config.grpc !== undefined && profile !== null && profile.data.grpc.length === 0)
    found.tell(
      'grpc',
      `the profile ${profile.data.name} lists no method under grpc: leave this section out, or list them`,
    );
}

/** Static tokens are held to the same names and forms as keys. */
function checkTokens({ config }: LoadedConfig, policy: Policy | null, found: Findings): void {
  config.static_tokens.forEach(({ roles, tier, spaces }, index) => {
    const path = `static_tokens.${String(index)}`;
    const wrong = spacesProblem(spaces);
    if (wrong !== null) found.tell(`${path}.spaces`, wrong);
    if (policy === null) return;
    for (const role of roles.filter((name) => !policy.roleNames.has(name))) {
      found.tell(
        `${path}.roles`,
        `"${role}" is not one of the policy's roles: ${[...policy.roleNames].sort().join(', ')}`,
      );
    }
    if (tier !== undefined && !policy.tierNames.has(tier)) {
      found.tell(
        `${path}.tier`,
        `"${tier}" is not one of the policy's tiers: ${[...policy.tierNames].sort().join(', ')}`,
      );
    }
  });
}
