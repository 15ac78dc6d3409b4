import type { Clock } from '../base/clock.js';
import { diskFiles, type Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { loadPolicy, type Policy, type PolicyPorts } from '../authorize/authorize.js';
import {
  loadVerification,
  noVerification,
  packedBytesMax,
  readBundle,
  type Admitted,
  type Bundle,
  type Verification,
} from '../bundle/bundle.js';
import { describeFailure, readCases, runCases } from '../cases/cases.js';
import type { LoadedConfig } from '../config/config.js';
import { Fault } from '../model/codes.js';
import type { Content } from '../origin/origin.js';
import { compileDirectory, compiledBefore } from './compile.js';
import { admission, notAfterText, type PolicyGate } from './serial.js';
import { chosen, type Promotion } from './promotion.js';

/** What a bundle says of itself. */
export type Claims = Pick<Bundle, 'serial' | 'notAfterMs' | 'signedBy'>;

const unjudged: Admitted = { accept: null, backFrom: null, isExpired: false };

export interface ReadPolicy {
  readonly policy: Policy;
  readonly claims: Claims;
  /** How it follows on the policies before it. */
  readonly admitted: Admitted;
  /** What it was read from. */
  readonly bytes: Buffer;
  /** Null where the configured bundle is what is to be in force. */
  readonly promotion: Promotion | null;
}

export interface PolicyReading {
  readonly ports: PolicyPorts;
  readonly files?: Files;
  /** What is gone back to. */
  readonly content?: Content | null;
  /** What a bundle server gave. Without either the file is read. */
  readonly served?: Buffer | null;
  /** Null where the policy is only looked at: it need not follow on anything. */
  readonly gate?: PolicyGate | null;
  readonly promotion?: Promotion | null;
}

/** Reads the bundle that the configuration names, verifies it, and loads the policy in it. */
export async function readPolicy(
  loaded: LoadedConfig,
  { ports, files = diskFiles, content = null, served = null, gate = null, promotion: wanted = null }: PolicyReading,
): Promise<Result<ReadPolicy, readonly Problem[]>> {
  const { policy } = loaded.config;
  const verification = await verificationOf(loaded, files);
  if (!verification.ok) return verification;
  const read = await bundleOf(loaded, { files, content, served }, verification.value);
  if (!read.ok) return read;
  const ownData = policy.data === undefined ? null : loaded.resolvePath(policy.data);
  const { bundle: bytes, promotion } = chosen({ bundle: read.value.bytes, dataDir: ownData }, wanted);
  const promoted = promotion === null ? null : await readBundle(bytes, verification.value, place);
  if (promoted?.ok === false) return promoted;
  const bundle = promoted?.value ?? read.value.bundle;
  const bundleFile = promoted === null ? read.value.bundleFile : place;
  tellUnverified(bundle, ports);
  const admitted = gate === null ? ok(unjudged) : await admission(bundle, loaded, { gate, place: bundleFile });
  if (!admitted.ok) return admitted;
  if (admitted.value.isExpired) ports.log.warn('policy.expired', { not_after: notAfterText(bundle) });
  const dataDir = promotion?.dataDir ?? ownData;
  const made = await loadPolicy({ bundle, bundleFile, dataDir, budgetMs: policy.budget_ms, files }, ports);
  if (!made.ok) return made;
  const { serial, notAfterMs, signedBy } = bundle;
  const claims = { serial, notAfterMs, signedBy };
  const isEnforced = policy.verification?.enforce_not_after === true;
  const inTime = isEnforced ? untilExpiry(made.value, claims, ports.clock) : made.value;
  return ok({ policy: inTime, claims, admitted: admitted.value, bytes, promotion });
}

/** The same policy, which answers nothing from its not_after on. Only where the configuration wants that: no other policy looks at the clock. */
function untilExpiry(policy: Policy, { notAfterMs, signedBy }: Claims, clock: Clock): Policy {
  if (notAfterMs === null || signedBy === null) return policy;
  return {
    ...policy,
    evaluate: (inputText) => {
      if (clock.nowMs() >= notAfterMs) throw new Fault('policy.expired', 'the not_after of the bundle has passed');
      return policy.evaluate(inputText);
    },
  };
}

/** How problems name it. */
const place = 'promoted policy';

interface Found {
  readonly bundle: Bundle;
  readonly bytes: Buffer;
  /** How problems name it. */
  readonly bundleFile: string;
}

type BundlePlaces = Required<Pick<PolicyReading, 'files' | 'content' | 'served'>>;

/** The bundle that is there already, the one of the file, or the one that the sources give. */
async function bundleOf(
  { config: { policy }, resolvePath }: LoadedConfig,
  { files, content, served }: BundlePlaces,
  verification: Verification,
): Promise<Result<Found, readonly Problem[]>> {
  if (policy.compile_on_reload && policy.sources !== undefined) {
    const bundleFile = resolvePath(policy.sources);
    const compiled = await (content === null
      ? compileDirectory(bundleFile, verification)
      : compiledBefore(bundleFile, verification, content));
    return compiled.ok ? ok({ ...compiled.value, bundleFile }) : compiled;
  }
  const file = resolvePath(policy.bundle);
  const known = content?.bundle ?? served;
  const bytes = known === null ? await files.bytes(file, packedBytesMax) : ok(known);
  if (!bytes.ok) return no([fileProblem(file, bytes.why)]);
  const bundleFile = known === null ? file : (policy.server?.url ?? file);
  const bundle = await readBundle(bytes.value, verification, bundleFile);
  return bundle.ok ? ok({ bundle: bundle.value, bytes: bytes.value, bundleFile }) : bundle;
}

/** The public keys that the configuration names; those without which nothing is verified, where it names none. */
export async function verificationOf(
  { config, file, resolvePath }: LoadedConfig,
  files: Files,
): Promise<Result<Verification, readonly Problem[]>> {
  const { verification } = config.policy;
  if (verification === undefined) return ok(noVerification);
  const read = await loadVerification(verification.keys, resolvePath, files);
  if (read.ok) return read;
  return no(read.why.map((message) => ({ ...fileProblem(file, message), path: 'policy.verification.keys' })));
}

function tellUnverified({ isSigned, signedBy, revision }: Bundle, { log }: PolicyPorts): void {
  if (isSigned && signedBy === null) log.warn('policy.signature-not-verified', { revision });
}

const failuresMax = 20;

/** The cases that the configuration names, asked of a policy that is not in force yet: one that is answered otherwise refuses it. */
export async function failingCases(
  { config, resolvePath }: LoadedConfig,
  policy: Policy,
  files: Files,
): Promise<readonly Problem[]> {
  const { cases: dir } = config.policy;
  if (dir === undefined) return [];
  const cases = await readCases(resolvePath(dir), files);
  if (!cases.ok) return cases.why;
  const failures = await runCases(cases.value, (inputText) => policy.tryOut(inputText));
  const told = failures.slice(0, failuresMax).map(describeFailure);
  const more = failures.length - told.length;
  return more > 0 ? [...told, fileProblem(resolvePath(dir), `and ${String(more)} more cases`)] : told;
}
