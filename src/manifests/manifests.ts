export { addToManifest, type Added } from './add-entry.js';
export { keyChanges, type KeyChange, type KeyRights } from './changes.js';
export { manifestText, type ManifestEntry } from './entry-text.js';
export { expiringKeys, type ExpiringKey } from './expiring.js';
export type { FieldChange } from './fields.js';
export { fileFindings, lintCodes, lintManifests, type LintFinding } from './lint.js';
export type { LintOptions } from './lint-rules.js';
export { isoTime, statedKey, type StatedKey } from './stated.js';
