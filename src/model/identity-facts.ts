/** What the memory server may be told of a request, by name. */
export const identityFacts = ['subject', 'subject_kind', 'owner', 'key_id', 'space', 'spaces', 'request_id'] as const;

export type IdentityFact = (typeof identityFacts)[number];
