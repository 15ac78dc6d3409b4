// Every scenario. One is
//   name, note
//   variants(variant)          false for those it makes no sense for
//   open(variant, options)     before anything is counted; what it resolves to is `session`
//   load(variant, { seconds, session })   resolves to { requests, errors, seconds, p50Us?, p99Us?, extra? }
//   close(session)
import bodies from './bodies.mjs';
import documents from './documents.mjs';
import operation from './operation.mjs';
import rates from './rates.mjs';
import refusals from './refusals.mjs';

export const scenarios = [...documents, ...refusals, ...bodies, ...operation, ...rates];
