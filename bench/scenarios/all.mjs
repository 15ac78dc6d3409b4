// Every scenario. One is `{ name, note, variants?, load }`: `load(variant, { seconds })` puts a variant under load and resolves to
// `{ requests, errors, seconds, p50Us?, p99Us? }`; `variants(variant)` is false for those it makes no sense for.
import documents from './documents.mjs';

export const scenarios = [...documents];
