import { diskFiles, type Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { loadPolicy, type Policy, type PolicyPorts } from '../authorize/authorize.js';
import { loadVerification, noVerification, readBundleFile, type Bundle, type Verification } from '../bundle/bundle.js';
import type { LoadedConfig } from '../config/config.js';

/** Reads the bundle that the configuration names, verifies it, and loads the policy in it. */
export async function readPolicy(
  loaded: LoadedConfig,
  { ports, files = diskFiles }: { readonly ports: PolicyPorts; readonly files?: Files },
): Promise<Result<Policy, readonly Problem[]>> {
  const { policy } = loaded.config;
  const bundleFile = loaded.resolvePath(policy.bundle);
  const verification = await verificationOf(loaded, files);
  if (!verification.ok) return verification;
  const bundle = await readBundleFile(bundleFile, verification.value, files);
  if (!bundle.ok) return bundle;
  tellUnverified(bundle.value, ports);
  const dataDir = policy.data === undefined ? null : loaded.resolvePath(policy.data);
  return loadPolicy({ bundle: bundle.value, bundleFile, dataDir, budgetMs: policy.budget_ms, files }, ports);
}

/** The public keys that the configuration names; those without which nothing is verified, where it names none. */
async function verificationOf(
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
