import type { AdminAction } from '../admin/admin.js';
import { explainDecision, findRecorded, policyAtHand, type Explanation } from '../review/review.js';
import type { Reloader } from '../reload/reload.js';
import type { Parts } from './parts.js';

/** Explains a decision of this log with the policy that is in force; null where the log does not hold it. */
export type Explainer = (id: string) => Promise<Explanation | null>;

/** One look into the log at a time, whoever asks: reading segments must not take the disk from those who write it. */
export function createExplainer({ auditDir }: Pick<Parts, 'auditDir'>, reloader: Reloader): Explainer {
  let last: Promise<unknown> = Promise.resolve();
  return (id) => {
    const next = last.then(() => explained(auditDir, id, reloader));
    last = next.catch(() => undefined);
    return next;
  };
}

async function explained(auditDir: string, id: string, reloader: Reloader): Promise<Explanation | null> {
  const recorded = await findRecorded(auditDir, id);
  if (recorded === null) return null;
  const { hash, sources } = reloader.current();
  return explainDecision(recorded, policyAtHand(sources.policy, hash));
}

/** The same for the admin API. */
export const explainAction =
  (explain: Explainer): AdminAction =>
  async ({ params }) => {
    const explanation = await explain(params['id'] ?? '');
    return explanation === null
      ? { status: 404, body: { problems: ['the log holds no decision of this id'] } }
      : { status: 200, body: explanation };
  };
