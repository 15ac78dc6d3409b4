import type { AdminActions } from '../admin/admin.js';
import type { Reloader } from '../reload/reload.js';
import { explainAction, type Explainer } from './explain.js';
import { candidateActions, type ShadowDesk } from './shadow-desk.js';
import type { Status } from './status.js';

interface AdminContext {
  readonly status: Status;
  readonly reloader: Reloader;
  readonly explain: Explainer;
  readonly desk: ShadowDesk;
}

/** What the operators' routes do. */
export const adminActions = ({ status, reloader, explain, desk }: AdminContext): AdminActions => ({
  'admin.health': async () => ({ status: 200, body: await status.detailed() }),
  'admin.explain': explainAction(explain),
  ...candidateActions(desk),
  'admin.reload': async ({ actor, query }) => {
    const isSet = (name: string): boolean => query.get(name) === 'true';
    const wish = { dryRun: isSet('dry_run'), allowRollback: isSet('allow_rollback') };
    const result = await reloader.reload(actor, wish);
    return { status: result.ok ? 200 : 422, body: status.reloadAnswer(result) };
  },
  'admin.rollback': async ({ actor, query }) => {
    const wish = { dryRun: query.get('dry_run') === 'true', backTo: query.get('to') ?? null };
    const result = await reloader.reload(actor, wish);
    return { status: result.ok ? 200 : 422, body: status.reloadAnswer(result) };
  },
});
