import type { AdminActions } from '../admin/admin.js';
import type { Reloader } from '../reload/reload.js';
import { explainAction, type Explainer } from './explain.js';
import type { Status } from './status.js';

interface ActionsContext {
  readonly status: Status;
  readonly reloader: Reloader;
  readonly explain: Explainer;
}

/** What the routes of operators do. */
export const adminActions = ({ status, reloader, explain }: ActionsContext): AdminActions => ({
  'admin.health': async () => ({ status: 200, body: await status.detailed() }),
  'admin.explain': explainAction(explain),
  'admin.reload': async ({ actor, query }) => {
    const result = await reloader.reload(actor, { dryRun: query.get('dry_run') === 'true' });
    return { status: result.ok ? 200 : 422, body: status.reloadAnswer(result) };
  },
  'admin.rollback': async ({ actor, query }) => {
    const wish = { dryRun: query.get('dry_run') === 'true', backTo: query.get('to') ?? null };
    const result = await reloader.reload(actor, wish);
    return { status: result.ok ? 200 : 422, body: status.reloadAnswer(result) };
  },
});
