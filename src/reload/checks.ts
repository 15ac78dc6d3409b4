import type { Policy } from '../authorize/authorize.js';
import type { LoadedConfig } from '../config/config.js';
import { spacesProblem } from '../identify/identify.js';
import type { Profile } from '../resolve/resolve.js';
import type { Findings } from './findings.js';

/** A header that tells who calls must not be one that tells the space: two of one name would go upstream. */
export function checkNames({ config }: LoadedConfig, profile: Profile | null, found: Findings): void {
  for (const [field, name] of Object.entries(config.identity_headers)) {
    if (name === null || profile?.dropHeaders.has(name.toLowerCase()) !== true) continue;
    found.tell(
      `identity_headers.${field}`,
      `"${name}" is a space carrier or trust header of the profile: use another name`,
    );
  }
}

/** Static tokens are held to the same names and forms as keys. */
export function checkTokens({ config }: LoadedConfig, policy: Policy | null, found: Findings): void {
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
