import { fixes } from './fixes.mjs';
import { code, generated } from './tables.mjs';

export function errorsDoc({ refusals, faults }) {
  const known = { ...refusals, ...faults };
  const missing = Object.keys(known).filter((name) => !(name in fixes));
  const stale = Object.keys(fixes).filter((name) => !(name in known));
  if (missing.length > 0) throw new Error(`scripts/docs/fixes.mjs has no entry for ${missing.join(', ')}`);
  if (stale.length > 0) throw new Error(`scripts/docs/fixes.mjs explains ${stale.join(', ')}, which is no code`);
  const entry = ([name, { status, say, owner }]) => {
    const [happened, fix] = fixes[name];
    return `### ${name}\n\n${status}${owner === undefined ? '' : `, alarm of the ${owner}`}: “${say}”\n\n${happened}\n\n**What to do:** ${fix}\n`;
  };
  return `${generated('src/model/codes.ts and scripts/docs/fixes.mjs')}
# Errors

Every answer that memgate itself gives is \`application/problem+json\` (RFC 9457). Its \`type\` ends in the code:
${code('urn:memgate:refusal:CODE')}. Its \`instance\` holds the id of the decision, under which the audit log tells more than the
caller may know. \`error\` repeats the facts in the form of older clients. 429 and most 503 carry \`Retry-After\`.

## Refusals: the caller can change something

${Object.entries(refusals).map(entry).join('\n')}
## Faults: something that memgate needs is broken

${Object.entries(faults).map(entry).join('\n')}`;
}
