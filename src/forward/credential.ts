import type { LiveSecret } from '../base/live-secret.js';
import { Secret } from '../base/secret.js';
import { Fault } from '../model/codes.js';
import type { SpaceSet } from '../model/target.js';

/** What the memory server wants to see from us: one header, and its value for a request. */
export interface UpstreamCredential {
  readonly header: string;
  /**
   * @returns the value for a request that reaches these spaces; null where it touches none and the credential is one of a space
   * @throws Fault `upstream.no-credential` where these spaces have none
   */
  valueFor(spaces: SpaceSet): string | null;
}

/** How a secret becomes the value of a header. */
export interface CredentialForm {
  readonly header: string;
  /** Word before the secret; empty for none. */
  readonly scheme: string;
}

export const headerValue = (scheme: string, text: string): string => (scheme === '' ? text : `${scheme} ${text}`);

/** One credential for every request. */
export function oneCredential({ header, scheme }: CredentialForm, live: LiveSecret): UpstreamCredential {
  let of = live.current();
  let value = new Secret(headerValue(scheme, of.reveal()));
  return {
    header,
    valueFor: () => {
      const secret = live.current();
      if (secret !== of) {
        of = secret;
        value = new Secret(headerValue(scheme, secret.reveal()));
      }
      return value.reveal();
    },
  };
}

/** Space → its secret, and the one for all others where there is one. */
export interface SpaceSecrets {
  readonly bySpace: ReadonlyMap<string, LiveSecret>;
  readonly fallback: LiveSecret | null;
}

/** A credential for each space. A request that reaches several, or all, is nobody's in particular: it gets the one for all others or none. */
export function credentialPerSpace(form: CredentialForm, { bySpace, fallback }: SpaceSecrets): UpstreamCredential {
  const own = new Map([...bySpace].map(([space, live]) => [space, oneCredential(form, live)]));
  const rest = fallback === null ? null : oneCredential(form, fallback);
  return {
    header: form.header,
    valueFor: (spaces) => {
      const [space, ...more] = spaces.ids;
      const named = spaces.all || more.length > 0 || space === undefined ? undefined : own.get(space);
      const found = named ?? rest;
      if (found !== null) return found.valueFor(spaces);
      if (touchesNone(spaces)) return null;
      throw new Fault('upstream.no-credential', 'no upstream.credential for these spaces, and no default');
    },
  };
}

export const touchesNone = ({ all, ids }: SpaceSet): boolean => !all && ids.length === 0;
