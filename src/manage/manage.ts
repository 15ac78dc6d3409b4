export {
  readObserved,
  type ObservedReport,
  readAuditTail,
  verifyAuditLog,
  type AuditProblem,
  type AuditVerdict,
} from '../record/record.js';
import { Desk } from './desk.js';
import { Ledger } from './ledger.js';
import type { KeyAdmin, KeyAdminContext } from './port.js';

export { newManifestKey, type ManifestKey } from './manifest-text.js';
export { nameProblems } from './wish.js';
export {
  localOperator,
  type CheckedKey,
  type Grantor,
  type InventoryKey,
  type IssuedKey,
  type KeyAdmin,
  type KeyAdminContext,
  type KeyAnswer,
  type KeyDesk,
  type KeyInventory,
  type KeyProblem,
  type KeyStore,
  type KeyView,
  type KeyWish,
  type ListFilter,
  type RevokedKey,
  type RotatedKey,
  type RotateWish,
} from './port.js';

/** Key administration over one ring and one store. */
export function createKeyAdmin(context: KeyAdminContext): KeyAdmin {
  const ledger = new Ledger();
  return { as: (grantor) => new Desk(context, grantor, ledger) };
}
