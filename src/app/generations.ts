import { join } from 'node:path';
import { environment } from '../base/env.js';
import { systemClock } from '../base/clock.js';
import type { CloseStack } from '../base/close-stack.js';
import { describeProblem } from '../base/document.js';
import type { Logger } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { readSecret } from '../base/secret-source.js';
import type { Watchdog } from '../authorize/authorize.js';
import type { LoadedConfig } from '../config/config.js';
import type { KeyEntry } from '../identify/identify.js';
import type { Actor } from '../model/audit.js';
import { openBundleServer, openKeeper, type BundleServer, type Keeper } from '../origin/origin.js';
import {
  buildGeneration,
  closeSources,
  createReloader,
  firstSources,
  openPromotions,
  watchSources,
  type Promotions,
  type Reloader,
  type SourceContext,
  type Sources,
} from '../reload/reload.js';
import { Candidates } from './candidates.js';
import type { Parts } from './parts.js';
import { serialsOf } from './serials.js';

export interface GenerationsContext {
  readonly loaded: LoadedConfig;
  readonly parts: Parts;
  readonly log: Logger;
  readonly stack: CloseStack;
  readonly watchdog: Watchdog;
  readonly start: { readonly file: string; readonly mayBeOpen: boolean };
}

/** What generations come from, and the one in force. */
export interface Generations {
  readonly reloader: Reloader;
  readonly server: BundleServer | null;
  readonly candidates: Candidates;
  readonly promotions: Promotions;
  /** From now on changes are looked for: by the watch, and by asking the bundle server. */
  begin(): Promise<void>;
}

/** Builds the first generation, and holds it. */
export async function openGenerations(context: GenerationsContext): Promise<Result<Generations, readonly string[]>> {
  const { loaded, parts, log, stack, watchdog, start } = context;
  const dir = join(parts.dataDir, 'generations');
  const keeper = await openKeeper(dir);
  if (!keeper.ok) return no([keeper.why]);
  const promotions = await openPromotions(parts.dataDir);
  if (!promotions.ok) return no([promotions.why]);
  const server = await serverOf(context);
  const storeKeys = (): readonly KeyEntry[] => parts.store.keys().entries;
  const ports = { clock: systemClock, meter: parts.meter, log, watchdog };
  const sources: SourceContext = { ...start, storeKeys, ports, server, serials: serialsOf(loaded) };
  const kept = { keeper: keeper.value, promotions: promotions.value };
  const read = await firstSources(sources, { ...kept, config: loaded.config, dir });
  if (!read.ok) return read;
  tell(read.value, keeper.value, log);
  const { accept } = read.value.admitted;
  if (accept !== null) await sources.serials.keep(accept);
  parts.ring.replaceManifests(read.value.manifests.entries);
  const first = buildGeneration(read.value, parts);
  const candidates = new Candidates(parts.shadow, ports);
  const settled = (now: Sources): void => {
    candidates.settled(now);
  };
  const reloader = await createReloader(first, { sources, parts, audit: parts.auditLog, log, ...kept, settled });
  stack.opened(() => {
    closeSources(reloader.current().sources);
  });
  const { promotions: promoted } = kept;
  return ok({ reloader, server, candidates, promotions: promoted, begin: () => begin(context, reloader, server) });
}

/** What is otherwise than the files say. */
function tell({ manifests, promotion }: Sources, keeper: Keeper, log: Logger): void {
  for (const problem of manifests.refused) log.error('keys.refused', { problem: describeProblem(problem) });
  const rollback = keeper.rollback();
  if (rollback !== null) log.warn('config.rolled-back', { to: rollback.to, at: new Date(rollback.atMs).toISOString() });
  if (promotion !== null)
    log.warn('policy.promoted', { revision: promotion.revision, at: new Date(promotion.atMs).toISOString() });
}

const asked: Actor = { kind: 'system', id: 'policy.server', address: null };

async function begin(
  { loaded, log, stack }: GenerationsContext,
  reloader: Reloader,
  server: BundleServer | null,
): Promise<void> {
  server?.start(async () => {
    await reloader.reload(asked, { isAutomatic: true });
  });
  const watch = await watchSources(loaded.config.reload, reloader, log);
  stack.opened(() => {
    watch?.close();
  });
}

/** The bundle server of the configuration, asked once where no earlier process has left a bundle. */
async function serverOf({ loaded, parts, log, stack }: GenerationsContext): Promise<BundleServer | null> {
  const { server: options } = loaded.config.policy;
  if (options === undefined) return null;
  const { token } = options;
  const server = await openBundleServer(
    {
      url: options.url,
      timeoutMs: options.timeout_ms,
      maxBytes: options.max_bytes,
      waitMs: options.long_polling_ms,
      minDelayMs: options.polling_min_ms,
      maxDelayMs: options.polling_max_ms,
      dir: join(parts.dataDir, 'policy-server'),
    },
    {
      clock: systemClock,
      log,
      token: async () => {
        if (token === undefined) return ok(null);
        const read = await readSecret(token, { env: environment, resolvePath: loaded.resolvePath });
        return read.ok ? ok(read.value.reveal()) : no(`policy.server.token: ${read.why}`);
      },
    },
  );
  stack.opened(() => {
    server.close();
  });
  if (server.latest() === null) await server.ask();
  if (server.latest() === null) log.warn('policy.server-silent', { problem: server.state().problem });
  return server;
}
