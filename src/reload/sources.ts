import { createHash } from 'node:crypto';
import type { Problem } from '../base/document.js';
import { environment } from '../base/env.js';
import { no, ok, type Result } from '../base/result.js';
import { readSecret } from '../base/secret-source.js';
import { loadPolicy, type Policy, type PolicyPorts } from '../authorize/authorize.js';
import { loadConfig, type LoadedConfig } from '../config/config.js';
import type { UpstreamCredential } from '../forward/forward.js';
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
import { loadProfile, type Profile } from '../resolve/resolve.js';

/** Everything a generation is made of, read once, checked together, and nothing of it in force yet. */
export interface Sources {
  readonly loaded: LoadedConfig;
  readonly profile: Profile;
  readonly policy: Policy;
  readonly manifests: LoadedManifests;
  readonly tokens: StaticTokens;
  readonly credential: UpstreamCredential | null;
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
  readonly ports: PolicyPorts;
}

const noManifests: LoadedManifests = { entries: [], refused: [], places: new Map() };

/** Reads configuration, profile, policy, manifests and secrets; all problems at once. */
export async function readSources(context: SourceContext): Promise<Result<Sources, readonly Problem[]>> {
  const loaded = await loadConfig(context.file);
  if (!loaded.ok) return loaded;
  const { config } = loaded.value;
  const at = (path: string, message: string): Problem => ({ file: context.file, line: 0, column: 0, path, message });
  const problems: Problem[] = [];
  const take = <T>(result: Result<T, readonly Problem[]>): T | null => {
    if (result.ok) return result.value;
    problems.push(...result.why);
    return null;
  };

  const [profile, policy, credential, tokens] = await Promise.all([
    loadProfile(loaded.value.resolvePath(config.profile)).then(take),
    loadPolicy(policyOptions(loaded.value), context.ports).then(take),
    readCredential(loaded.value).then((read) => take(read.ok ? read : no([at('upstream.credential', read.why)]))),
    readTokens(loaded.value, context.ports.log.warn.bind(null)).then((read) =>
      take(read.ok ? read : no(read.why.map((why) => at('static_tokens', why)))),
    ),
  ]);
  const dir = config.keys.manifests;
  const names = policy === null ? null : { roles: policy.roleNames, tiers: policy.tierNames };
  const manifests = dir === undefined ? noManifests : take(await loadManifests(loaded.value.resolvePath(dir), names));
  if (manifests !== null) problems.push(...idConflicts(manifests, context.storeKeys()));
  const trusted = networkTest(config.gateway.trusted_proxies);
  if (!trusted.ok) problems.push(at('gateway.trusted_proxies', `"${trusted.why}" is neither an address nor a network`));
  const modes = readModes(config.auth_mode);
  if (modes.has('none') && !context.mayBeOpen)
    problems.push(at('auth_mode', 'none lets everybody pass: it works only with the start flag --i-know-this-is-open'));
  if (modes.has('none') && modes.size > 1) problems.push(at('auth_mode', 'none cannot be combined with another mode'));
  const allowedHosts = new Set<string>();
  for (const host of config.gateway.allowed_hosts) {
    const normal = normalHost(host);
    if (normal === null) problems.push(at('gateway.allowed_hosts', `"${host}" is not HOST or HOST:PORT`));
    else allowedHosts.add(normal);
  }
  if (
    profile === null ||
    policy === null ||
    manifests === null ||
    tokens === null ||
    !trusted.ok ||
    problems.length > 0
  ) {
    tokens?.close();
    return no(problems);
  }
  const hash = nameOf([
    loaded.value.digest,
    JSON.stringify(profile.data),
    policy.digest,
    JSON.stringify(manifests.entries),
  ]);
  return ok({
    loaded: loaded.value,
    profile,
    policy,
    manifests,
    tokens,
    credential: credential ?? null,
    modes,
    allowedHosts,
    isTrustedProxy: trusted.value,
    hash,
  });
}

const policyOptions = ({ config, resolvePath }: LoadedConfig): Parameters<typeof loadPolicy>[0] => ({
  bundleFile: resolvePath(config.policy.bundle),
  dataDir: config.policy.data === undefined ? null : resolvePath(config.policy.data),
  budgetMs: config.policy.budget_ms,
});

const readModes = (mode: LoadedConfig['config']['auth_mode']): ReadonlySet<AuthMode> =>
  new Set(Array.isArray(mode) ? mode : [mode]);

async function readCredential({
  config,
  resolvePath,
}: LoadedConfig): Promise<Result<UpstreamCredential | null, string>> {
  const source = config.upstream.credential;
  if (source === undefined) return ok(null);
  const secret = await readSecret(source, { env: environment, resolvePath });
  return secret.ok ? ok({ header: source.header, scheme: source.scheme, secret: secret.value }) : secret;
}

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

/** A digest over all parts, each with its length, so that no two sets of parts share it. */
function nameOf(parts: readonly string[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(`${String(Buffer.byteLength(part))}:`).update(part);
  return digest.digest('hex').slice(0, 32);
}
