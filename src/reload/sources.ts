import { createHash } from 'node:crypto';
import type { Files as FilePort } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import type { Policy, PolicyPorts } from '../authorize/authorize.js';
import type { Admitted, SerialBook } from '../bundle/bundle.js';
import type { LoadedConfig } from '../config/config.js';
import { networkTest, normalHost } from '../gate/gate.js';
import {
  idConflicts,
  loadStaticTokens,
  type AuthMode,
  type KeyEntry,
  type LoadedManifests,
  type StaticTokens,
} from '../identify/identify.js';
import type { Meter } from '../model/meter.js';
import { atOneMoment, filesOver, type BundleServer, type Content, type Snapshot } from '../origin/origin.js';
import { findProfile, type Profile } from '../resolve/resolve.js';
import { checkTogether } from './checks.js';
import { readCredential, type LiveCredential } from './credential.js';
import { Findings } from './findings.js';
import { contentOf, gatherSources, seenIn, type Seen } from './gather.js';
import { asTheyAre, configOf, readKeys, type Reading } from './reading.js';
import type { Promotion } from './promotion.js';
import { readCandidate, type Candidate } from './candidate.js';
import { failingCases, readPolicy, type Claims } from './policy.js';
import type { PolicyGate } from './serial.js';
import { tierWarnings } from './tiers.js';

/** Everything a generation is made of, read once, checked together, and nothing of it in force yet. */
export interface Sources {
  readonly loaded: LoadedConfig;
  readonly profile: Profile;
  readonly policy: Policy;
  /** What the bundle says of itself. */
  readonly claims: Claims;
  /** How the bundle follows on those before it. */
  readonly admitted: Admitted;
  /** Null where the policy in force is the configured one. */
  readonly promotion: Promotion | null;
  /** The one that the configuration has asked beside it. */
  readonly candidate: Candidate | null;
  readonly manifests: Pick<LoadedManifests, 'entries' | 'refused'>;
  readonly tokens: StaticTokens;
  readonly credential: LiveCredential | null;
  readonly modes: ReadonlySet<AuthMode>;
  readonly allowedHosts: ReadonlySet<string>;
  readonly isTrustedProxy: (address: string) => boolean;
  /** What is in order, and surely not meant. */
  readonly warnings: readonly string[];
  /** Names all of it. */
  readonly hash: string;
  /** What it was read from, to be kept. */
  readonly content: Content;
  readonly seen: Seen;
}

export interface SourceContext {
  readonly file: string;
  /** The start flag without which `auth_mode: none` is refused. */
  readonly mayBeOpen: boolean;
  /** Keys of the store: a manifest must not have one of their ids. */
  readonly storeKeys: () => readonly KeyEntry[];
  readonly ports: PolicyPorts & { readonly meter: Meter };
  /** Gives the bundle where `policy.server` says so; null where a file does. */
  readonly server: Pick<BundleServer, 'latest' | 'state' | 'accepted'> | null;
  /** How far the serials of bundles have come. */
  readonly serials: SerialBook;
}

/** Reads configuration, profile, policy, manifests and secrets, all of one moment; all problems at once. */
export async function readSources(
  context: SourceContext,
  reading: Reading = asTheyAre,
  told: (seen: Seen) => void = () => undefined,
): Promise<Result<Sources, readonly Problem[]>> {
  const snapshot = await atOneMoment((files) => gatherSources(context.file, files));
  if (snapshot === null) return no([fileProblem(context.file, restless)]);
  const seen = await seenIn(snapshot);
  told(seen);
  const read = await readFrom(snapshot, context, reading);
  return read.ok ? ok({ ...read.value, seen }) : read;
}

const restless =
  'this file, or one that it names, was another one each time it was read: stop writing to them, and reload';

async function readFrom(
  snapshot: Snapshot,
  context: SourceContext,
  reading: Reading,
): Promise<Result<Omit<Sources, 'seen'>, readonly Problem[]>> {
  const files = reading.content === null ? snapshot : filesOver(reading.content, snapshot);
  const loaded = await configOf({ file: context.file, files, snapshot }, reading);
  if (!loaded.ok) return loaded;
  const found = new Findings(context.file);
  const storeKeys = context.storeKeys(); // may fail, so before anything is opened that would have to be closed
  const parts = await readFiles(loaded.value, { context, storeKeys, files, reading }, found);
  const settings = readSettings(loaded.value, context, found);
  checkTogether(loaded.value, parts, found);
  const { profile, policy, claims, admitted, manifests, tokens, credential, bundle, promotion, candidate } = parts;
  const isWhole = profile !== null && policy !== null && manifests !== null && tokens !== null;
  if (!isWhole || bundle === null || claims === null || admitted === null || found.problems.length > 0) {
    tokens?.close();
    credential?.close();
    return no(found.problems);
  }
  const hash = nameOf([
    loaded.value.digest,
    JSON.stringify(profile.data),
    policy.digest,
    JSON.stringify(manifests.entries),
  ]);
  const content = reading.content ?? (await contentOf(loaded.value, snapshot, bundle));
  const { entries, refused } = manifests; // the places of all keys are needed no more
  const made = { loaded: loaded.value, profile, policy, claims, admitted, tokens, credential, promotion, candidate };
  const warnings = tierWarnings(policy, storeKeys, context.ports.clock.nowMs());
  for (const message of warnings) context.ports.log.warn('policy.tier-unknown', { message });
  return ok({ ...made, manifests: { entries, refused }, ...settings, warnings, hash, content });
}

interface Files {
  readonly profile: Profile | null;
  readonly policy: Policy | null;
  readonly claims: Claims | null;
  readonly admitted: Admitted | null;
  /** The bytes that the policy was read from. */
  readonly bundle: Buffer | null;
  readonly promotion: Promotion | null;
  readonly candidate: Candidate | null;
  readonly manifests: LoadedManifests | null;
  readonly tokens: StaticTokens | null;
  readonly credential: LiveCredential | null;
}

interface FileReading {
  readonly context: SourceContext;
  readonly storeKeys: readonly KeyEntry[];
  readonly files: FilePort;
  readonly reading: Reading;
}

async function readFiles(loaded: LoadedConfig, from: FileReading, found: Findings): Promise<Files> {
  const { config, resolvePath } = loaded;
  const { context, files, reading } = from;
  const { ports } = context;
  const { content } = reading;
  const served = reading.served ?? context.server?.latest() ?? null;
  const [profile, read, tokens] = await Promise.all([
    findProfile(config.profile, resolvePath, files),
    readPolicy(loaded, { ports, files, content, served, gate: gateOf(from), promotion: reading.promotion ?? null }),
    readTokens(loaded, (message) => {
      ports.log.warn('static-token.warning', { message });
    }),
  ]);
  const { policy, claims, admitted, bytes: bundle, promotion } = found.take(read) ?? nothing;
  const names = policy === null ? null : { roles: policy.roleNames, tiers: policy.tierNames };
  const manifests = await readKeys(loaded, { names, files, held: reading.held });
  if (manifests.ok) found.problems.push(...idConflicts(manifests.value, from.storeKeys));
  const made = {
    bundle,
    profile: found.takeNamed('profile', config.profile, profile),
    policy,
    claims,
    admitted,
    promotion,
    candidate: found.take(await readCandidate(loaded, { ports, files })),
    manifests: found.take(manifests),
    tokens: found.takeAt('static_tokens', tokens),
  };
  if (policy !== null) found.problems.push(...(await failingCases(loaded, policy, files)));
  return { ...made, credential: await readCredential({ loaded, profile: made.profile, ports }, found) };
}

const nothing = { policy: null, claims: null, admitted: null, bytes: null, promotion: null };

const gateOf = ({ context: { serials, ports }, reading }: FileReading): PolicyGate => ({
  serials,
  clock: ports.clock,
  allowsRollback: reading.allowsRollback === true,
});

function readSettings(
  { config }: LoadedConfig,
  { mayBeOpen }: SourceContext,
  found: Findings,
): Pick<Sources, 'modes' | 'allowedHosts' | 'isTrustedProxy'> {
  const modes = readModes(config.auth_mode);
  if (modes.has('none') && !mayBeOpen) {
    found.tell('auth_mode', 'none lets everybody pass: it works only with the start flag --i-know-this-is-open');
  }
  if (modes.has('none') && modes.size > 1) found.tell('auth_mode', 'none cannot be combined with another mode');
  const trusted = networkTest(config.gateway.trusted_proxies);
  if (!trusted.ok) found.tell('gateway.trusted_proxies', `"${trusted.why}" is neither an address nor a network`);
  const allowedHosts = new Set<string>();
  for (const host of config.gateway.allowed_hosts) {
    const normal = normalHost(host);
    if (normal === null) found.tell('gateway.allowed_hosts', `"${host}" is not HOST or HOST:PORT`);
    else allowedHosts.add(normal);
  }
  return { modes, allowedHosts, isTrustedProxy: trusted.ok ? trusted.value : () => false };
}

const readModes = (mode: LoadedConfig['config']['auth_mode']): ReadonlySet<AuthMode> =>
  new Set(Array.isArray(mode) ? mode : [mode]);

function readTokens(
  { config, resolvePath }: LoadedConfig,
  warn: (message: string) => void,
): ReturnType<typeof loadStaticTokens> {
  const specs = config.static_tokens.map((token) => ({
    ...token,
    from_file: token.from_file === undefined ? undefined : resolvePath(token.from_file),
  }));
  return loadStaticTokens(specs, { prefixes: config.keys.prefixes, warn });
}

/** Stops looking at the files of a generation that is not in force, or not any more. */
export function closeSources({ tokens, credential }: Sources, successor?: Sources): void {
  tokens.close(successor?.tokens);
  credential?.close();
}

/** A digest over all parts, each with its length, so that no two sets of parts share it. */
function nameOf(parts: readonly string[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(`${String(Buffer.byteLength(part))}:`).update(part);
  return digest.digest('hex').slice(0, 32);
}
