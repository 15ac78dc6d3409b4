/** Members of a value that may be anything. */
export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** What a policy was asked, as far as an explanation needs it. */
export interface Asked {
  readonly now: number | null;
  readonly readonly: boolean;
  readonly action: string | null;
  readonly permission: string | null;
  readonly tool: string | null;
  readonly spaces: { readonly all: boolean; readonly ids: readonly string[]; readonly unknown: readonly string[] };
  readonly subject: {
    readonly id: string | null;
    readonly roles: readonly string[];
    readonly permissions: readonly string[];
    readonly spaces: readonly string[];
    readonly tier: string | null;
    readonly expiresAt: number | null;
  };
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Reads a recorded input; null where the record has none. */
export function askedOf(input: unknown): Asked | null {
  if (typeof input !== 'object' || input === null) return null;
  const { now, request, spaces, subject, switches } = input as Fields;
  const [asked, reached, caller] = [fieldsOf(request), fieldsOf(spaces), fieldsOf(subject)];
  return {
    now: numberOf(now),
    readonly: fieldsOf(switches)['readonly'] === true,
    action: textOf(asked['action']),
    permission: textOf(asked['permission']),
    tool: textOf(asked['tool']),
    spaces: { all: reached['all'] !== false, ids: textsOf(reached['ids']), unknown: textsOf(reached['unknown']) },
    subject: {
      id: textOf(caller['id']),
      roles: textsOf(caller['roles']),
      permissions: textsOf(caller['permissions']),
      spaces: textsOf(caller['spaces']),
      tier: textOf(caller['tier']),
      expiresAt: numberOf(caller['expires_at']),
    },
  };
}
