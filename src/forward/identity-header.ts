import type { IdentityFact } from '../model/identity-facts.js';
import type { Permit } from '../model/proofs.js';

/** A header of the profile, and what it says of a request; null leaves it out. */
export interface NamedHeader {
  readonly name: string;
  readonly valueFor: (permit: Permit) => string | null;
}

type Said = IdentityFact | { readonly fixed: string };

/** The headers by which a profile wants its server to be told who calls. */
export const namedHeaders = (wanted: Readonly<Record<string, Said>>): readonly NamedHeader[] =>
  Object.entries(wanted).map(([name, said]) => ({
    name,
    valueFor: typeof said === 'string' ? readers[said] : () => said.fixed,
  }));

const readers: Readonly<Record<IdentityFact, NamedHeader['valueFor']>> = {
  subject: ({ identity }) => plain(identity.subject.id),
  subject_kind: ({ identity }) => identity.subject.kind,
  owner: ({ identity }) => (identity.subject.owner === null ? null : plain(identity.subject.owner)),
  key_id: ({ identity: { subject } }) => (subject.kind === 'api_key' ? plain(subject.id) : null),
  space: ({ target: { facts } }) => {
    const [space, ...more] = facts.spaces.ids;
    return space === undefined || more.length > 0 || facts.spaces.all ? null : plain(space);
  },
  spaces: ({ target: { facts } }) => (facts.spaces.all ? '*' : facts.spaces.ids.map(plain).join(',')),
  request_id: ({ target }) => target.request.id,
};

/** Identity values are opaque: whatever is not plain is percent-encoded, so that no value can become a second header. */
export const plain = (value: string): string => value.replaceAll(/[^A-Za-z0-9._:@/+-]/gu, percentEncoded);

/** By bytes: `encodeURIComponent` throws for half a surrogate pair. */
const percentEncoded = (character: string): string =>
  Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
