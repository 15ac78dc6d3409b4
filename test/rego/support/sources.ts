import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openCompiler, type Compiler, type CompilerOptions, type RegoSources } from '../../../src/rego/rego.js';

export const capabilities = readFileSync(resolve('policies/capabilities.json'), 'utf8');

/** A small policy that is whole: an entrypoint, data, tests with a table. */
export const small: Readonly<Record<string, string>> = {
  '.manifest': '{"roots": ["memgate", "roles"], "rego_version": 1}\n',
  'roles/data.yaml': 'reader: true\nwriter: true\n',
  'memgate/authz/authz.rego': `package memgate.authz

# METADATA
# description: The whole answer.
# entrypoint: true
decision := {"allow": allow, "reasons": reasons}

default allow := false

allow if {
	data.roles[input.role]
	input.action == "read"
}

reasons contains "action" if input.action != "read"
`,
  'memgate/authz/authz_test.rego': `package memgate.authz_test

import data.memgate.authz

test_reader_reads if authz.allow with input as {"role": "reader", "action": "read"}

test_roles[role] if {
	some role in ["reader", "writer"]
	authz.allow with input as {"role": role, "action": "read"}
}

test_reasons if authz.decision.reasons == {"action"} with input as {"role": "reader", "action": "write"}
`,
};

export function sourcesOf(changes: Readonly<Record<string, string | null>> = {}, base = small): RegoSources {
  const files = new Map<string, Uint8Array>();
  for (const [path, text] of Object.entries({ ...base, ...changes }))
    if (text !== null) files.set(path, Buffer.from(text));
  return { files, capabilities };
}

/** The same rule file with something more in it. */
export const withRules = (rules: string): RegoSources =>
  sourcesOf({ 'memgate/authz/authz.rego': `${small['memgate/authz/authz.rego'] ?? ''}\n${rules}\n` });

/** A compiler of one kind, closed when the test ends; null where the machine has none. */
export async function compilerFor(
  t: { readonly teardown: (fn: () => Promise<void>) => void },
  options: CompilerOptions,
): Promise<Compiler | null> {
  const opened = await openCompiler(options);
  if (!opened.ok) {
    if (options.only === 'native') return null;
    throw new Error(opened.why);
  }
  t.teardown(() => opened.value.close());
  return opened.value;
}
