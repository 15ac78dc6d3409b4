// What a variant must do before its speed means anything: pass on what is allowed, unchanged, and refuse what is not.
import { ask } from './ask.mjs';
import { document, posted, target } from './place.mjs';

const refused = [401, 403];
const elsewhere = (space) => target.replace('space-07', space);

/** Name, request, and the statuses that are right; `auth` null sends no credential. */
const openCases = [
  { what: 'a read', want: [200], isWhole: true },
  { what: 'a write', method: 'POST', want: [200] },
];
const proxyCases = [
  ...openCases,
  { what: 'a read without a key', auth: null, want: refused },
  { what: 'a read with a wrong key', auth: (key) => `${key.slice(0, -4)}0000`, want: refused },
  { what: 'a read in a foreign space', path: elsewhere('space-41'), want: refused },
  { what: 'a write as a reader', path: elsewhere('space-20'), method: 'POST', want: refused },
  {
    what: 'a deletion of something unknown',
    path: target.replace('docs', 'nope'),
    method: 'DELETE',
    want: [...refused, 404],
  },
];

const readCases = [{ what: 'a read', want: [200], isWhole: true }];
const casesOf = { open: openCases, read: readCases, proxy: proxyCases };

/** What every request of a variant carries; `authorization` null for no credential. */
export const headersOf = ({ vars }, authorization = vars.AUTH) => ({
  ...(authorization === undefined || authorization === null ? {} : { Authorization: authorization }),
  ...vars.HEADERS,
});

/** @throws Error that says what the variant should have done */
export async function checkVariant(variant) {
  const { AUTH: key, TARGET } = variant.vars;
  if (variant.checks === 'proxy' && key === undefined) throw new Error('it has no AUTH to be asked with');
  for (const { what, auth, path = TARGET, method = 'GET', want, isWhole = false } of casesOf[variant.checks]) {
    const headers = auth === undefined ? headersOf(variant) : headersOf(variant, auth?.(key) ?? null);
    const answer = await ask(variant.port, path, { method, headers, ...(method === 'POST' ? { body: posted } : {}) });
    if (!want.includes(answer.status))
      throw new Error(`${what} is answered ${answer.status}, must be ${want.join(' or ')}`);
    if (isWhole && answer.text !== document) throw new Error(`${what} is answered with a changed body`);
  }
}
