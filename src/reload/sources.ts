import { createHash } from 'node:crypto';
import type { Problem } from '../base/document.js';
import { no, ok, type Result } from '../base/result.js';
import type { Policy, PolicyPorts } from '../authorize/authorize.js';
import { loadConfig, type LoadedConfig } from '../config/config.js';
import { networkTest, normalHost } from '../gate/gate.js';
import {
  idConflicts,
  loadManifests,
  loadStaticTokens,
  type AuthMode,
  type KeyEntry,
  type LoadedManifests,
  type StaticTokens,
} from '../identify/identify.js';
import type { Meter } from '../model/meter.js';
import { findProfile, type Profile } from '../resolve/resolve.js';
import { checkCredential, checkCalls, checkNames, checkTokens } from './checks.js';
import { readCredential, type LiveCredential } from './credential.js';
import { Findings } from './findings.js';
import { readPolicy } from './policy.js';

/** Everything a generation is made of, read once, checked together, and nothing of it in force yet. */
export interface Sources {
  readonly loaded: LoadedConfig;
  readonly profile: Profile;
  readonly policy: Policy;
  readonly manifests: Pick<LoadedManifests, 'entries' | 'refused'>;
  readonly tokens: StaticTokens;
  readonly credential: LiveCredential | null;
  readonly modes: ReadonlySet<AuthMode>;
  readonly allowedHosts: ReadonlySet<string>;
  readonly isTrustedProxy: (address: string) => boolean;
  /** Names all of it. */
  readonly hash: string;
}

export interface SourceContext {
  readonly file: string;
  /** The start flag without which `auth_mode: none` is refused. */
  readonly mayBeOpen: boolean;
  /** Keys of the store: a manifest must not have one of their ids. */
  readonly storeKeys: () => readonly KeyEntry[];
  readonly ports: PolicyPorts & { readonly meter: Meter };
}

const noManifests: LoadedManifests = { entries: [], refused: [], places: new Map() };

/** Reads configuration, profile, policy, manifests and secrets; all problems at once. */
export async function readSources(context: SourceContext): Promise<Result<Sources, readonly Problem[]>> {
  const loaded = await loadConfig(context.file);
  if (!loaded.ok) return loaded;
  const found = new Findings(context.file);
  const storeKeys = context.storeKeys(); // may fail, so before anything is opened that would have to be closed
  const files = await readFiles(loaded.value, { ...context, storeKeys: () => storeKeys }, found);
  const settings = readSettings(loaded.value, context, found);
  checkTokens(loaded.value, files.policy, found);
  checkNames(loaded.value, files.profile, found);
  checkCalls(loaded.value, files.profile, found);
  checkCredential(loaded.value, files.profile, found);
  const { profile, policy, manifests, tokens, credential } = files;
  const isWhole = profile !== null && policy !== null && manifests !== null && tokens !== null;
  if (!isWhole || found.problems.length > 0) {
    tokens?.close();
    credential?.close();
    return no(found.problems);
  }
  const { entries, refused } = manifests; // the places of all keys are needed no more
  const hash = nameOf([loaded.value.digest, JSON.stringify(profile.data), policy.digest, JSON.stringify(entries)]);
  return ok({
    loaded: loaded.value,
    profile,
    policy,
    manifests: { entries, refused },
    tokens,
    credential,
    ...settings,
    hash,
  });
}

interface Files {
  readonly profile: Profile | null;
  readonly policy: Policy | null;
  readonly manifests: LoadedManifests | null;
  readonly tokens: StaticTokens | null;
  readonly credential: LiveCredential | null;
}

async function readFiles(loaded: LoadedConfig, context: SourceContext, found: Findings): Promise<Files> {
  const { config, resolvePath } = loaded;
  const [profile, policy, tokens] = await Promise.all([
    findProfile(config.profile, resolvePath),
    readPolicy(loaded, { ports: context.ports }),
    readTokens(loaded, (message) => {
      context.ports.log.warn('static-token.warning', { message });
    }),
  ]);
  const names = policy.ok ? { roles: policy.value.roleNames, tiers: policy.value.tierNames } : null;
  const dir = config.keys.manifests;
  const manifests = dir === undefined ? ok(noManifests) : await loadManifests(resolvePath(dir), names);
  if (manifests.ok) found.problems.push(...idConflicts(manifests.value, context.storeKeys()));
  const files = {
    profile: found.take(profile),
    policy: found.take(policy),
    manifests: found.take(manifests),
    tokens: found.takeAt('static_tokens', tokens),
  };
  const { ports } = context;
  return { ...files, credential: await readCredential({ loaded, profile: files.profile, ports }, found) };
}

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
