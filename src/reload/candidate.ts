import { diskFiles, type Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { loadPolicy, type Policy, type PolicyPorts } from '../authorize/authorize.js';
import { packedBytesMax, readBundle } from '../bundle/bundle.js';
import type { LoadedConfig } from '../config/config.js';
import { verificationOf } from './policy.js';

/** A policy to be asked beside the one in force. */
export interface CandidateSource {
  /** Where it came from; names it in problems. */
  readonly file: string;
  readonly packed: Buffer;
  /** Null for the data files of the policy in force. */
  readonly dataDir: string | null;
  readonly share: number;
  readonly origin: 'configuration' | 'command';
}

export interface Candidate extends CandidateSource {
  readonly policy: Policy;
}

interface CandidateReading {
  readonly ports: PolicyPorts;
  readonly files?: Files;
}

/** The same checks as for a policy that is to be in force: signature, form, data, hostile inputs. */
export async function loadCandidate(
  loaded: LoadedConfig,
  source: CandidateSource,
  { ports, files = diskFiles }: CandidateReading,
): Promise<Result<Candidate, readonly Problem[]>> {
  const { data, budget_ms: budgetMs } = loaded.config.policy;
  const verification = await verificationOf(loaded, files);
  if (!verification.ok) return verification;
  const bundle = await readBundle(source.packed, verification.value, source.file);
  if (!bundle.ok) return bundle;
  const dataDir = source.dataDir ?? (data === undefined ? null : loaded.resolvePath(data));
  const options = { bundle: bundle.value, bundleFile: source.file, dataDir, budgetMs, files };
  const { clock, log } = ports;
  const made = await loadPolicy(options, { clock, log, meter: uncounted }); // and no watchdog ends the process for it
  return made.ok ? ok({ ...source, policy: made.value }) : made;
}

const nothing = (): void => undefined;
/** What a candidate does is not what the policy in force does. */
const uncounted = { policyEvaluation: nothing, policyError: nothing, policyInstanceReplaced: nothing };

/** The one that the configuration names, or null. */
export async function readCandidate(
  loaded: LoadedConfig,
  reading: Required<CandidateReading>,
): Promise<Result<Candidate | null, readonly Problem[]>> {
  const { candidate } = loaded.config.policy;
  if (candidate === undefined) return ok(null);
  const file = loaded.resolvePath(candidate.bundle);
  const packed = await reading.files.bytes(file, packedBytesMax);
  if (!packed.ok) return no([fileProblem(file, packed.why)]);
  const dataDir = candidate.data === undefined ? null : loaded.resolvePath(candidate.data);
  const { share } = candidate;
  return loadCandidate(loaded, { file, packed: packed.value, dataDir, share, origin: 'configuration' }, reading);
}
