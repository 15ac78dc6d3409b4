const form = /^[a-z0-9_-]{3,64}$/;
// White space as Unicode lists it. JavaScript's own trim differs: it cuts U+FEFF and leaves U+0085.
const white = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const edges = new RegExp(`^${white}|${white}$`, 'gu');

/** The name that a text stands for: white space around it does not count, case does. Null for no name at all. */
export function spaceNamed(text: string): string | null {
  const name = text.replace(edges, '');
  return form.test(name) ? name : null;
}
