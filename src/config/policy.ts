import { z } from 'zod';
import { signatureAlgorithms } from '../model/signature.js';
import { candidate } from './candidate.js';
import { day, milliseconds } from './parts.js';
import { policyServer } from './policy-server.js';

const verificationKey = z
  .strictObject({
    algorithm: z
      .enum(signatureAlgorithms, {
        error: `must be one of ${signatureAlgorithms.join(', ')}; with HS256 and its like, whoever verifies could also sign`,
      })
      .describe('The only algorithm that the key is used with, whatever a signature says.'),
    public_key_file: z.string().min(1).describe('The public key, in PEM form.'),
    scope: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('What a signature must say it is for; without it, a signature must say nothing about that.'),
  })
  .describe('A key that bundles may be signed with.');

const verification = z
  .strictObject({
    keys: z
      .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/, 'must be the id of a key'), verificationKey)
      .refine((keys) => Object.keys(keys).length > 0, 'must name at least one key')
      .refine((keys) => Object.keys(keys).length <= 16, 'may name at most 16 keys')
      .describe(
        'Key id → `algorithm`, `public_key_file` and perhaps `scope`. An unsigned bundle, and one that another key has signed, is refused.',
      ),
    require_serial: z
      .boolean()
      .default(true)
      .describe(
        'Refuse a signed bundle without a serial. False takes one, as long as none with a serial was taken before.',
      ),
    min_serial: z
      .int()
      .min(1)
      .optional()
      .describe('Lowest serial that is taken. Needed where data_dir does not last, as the last one is kept there.'),
    enforce_not_after: z
      .boolean()
      .default(false)
      .describe(
        'Refuse every request once the not_after of the bundle in force has passed. False only tells it: the metric of the policy, a warning.',
      ),
  })
  .optional()
  .describe('By whom the bundle must be signed. Without it, signatures are not verified and count for nothing.');

/** Where the policy comes from, and what it must be like to be taken. */
export const policy = z
  .strictObject({
    bundle: z.string().min(1).describe('Compiled policy bundle (.tar.gz).'),
    data: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Directory of data files (NAME.yaml) that replace the bundle's data of the same name: roles, tiers, spaces, networks.",
      ),
    budget_ms: z
      .number()
      .min(0.1)
      .max(1_000)
      .default(20)
      .describe('Longest evaluation of the largest test input when a policy is activated, best of five.'),
    verification,
    cases: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Directory of cases (NAME.yaml): requests, each with the decision that is wanted. A policy that decides one of them otherwise is refused.',
      ),
    sources: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Directory of Rego with its tests and data, compiled with compile_on_reload; a ConfigMap will do. Where verification names keys it must hold .signatures.json, as opa sign writes it.',
      ),
    compile_on_reload: z
      .boolean()
      .default(false)
      .describe(
        'Compile and test policy.sources at the start and at each reload, in a process of its own that needs up to 448 MiB. policy.bundle is then not read.',
      )
      .meta({ restart: true }),
    server: policyServer
      .optional()
      .describe(
        "A server that the bundle is asked for, again and again, by OPA's bundle protocol. policy.bundle is then what a first start begins with while the server is silent.",
      ),
    candidate,
    max_staleness_ms: milliseconds(31 * day)
      .optional()
      .describe(
        'How long the source of the policy may go without a successful look before /ready says no; needs policy.server or reload.watch.',
      ),
  })
  .refine(({ compile_on_reload: compiles, sources }) => !compiles || sources !== undefined, {
    path: ['sources'],
    error: 'must name the directory that compile_on_reload is to compile',
  })
  .refine(({ compile_on_reload: compiles, server }) => !compiles || server === undefined, {
    path: ['compile_on_reload'],
    error: 'cannot be on together with policy.server: a policy has one source',
  })
  .describe('The policy.');
