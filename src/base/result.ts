/** The answer of a step that may say no. A no is a value, not an exception. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: E };

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

export const no = <E>(why: E): { readonly ok: false; readonly why: E } => ({ ok: false, why });

/** Marks a branch that the types say cannot be reached. */
export function assertNever(value: never): never {
  throw new Error(`impossible value: ${JSON.stringify(value)}`);
}
