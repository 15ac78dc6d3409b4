/**
 * Makes a function that works something out once for each object, and keeps it for as long as the object lives. For immutable objects that many
 * requests share: subjects, routes, decisions.
 */
export function kept<K extends object, T>(make: (key: K) => T): (key: K) => T {
  const made = new WeakMap<K, { readonly value: T }>();
  return (key) => {
    let known = made.get(key);
    if (known === undefined) {
      known = { value: make(key) };
      made.set(key, known);
    }
    return known.value;
  };
}
