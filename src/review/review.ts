export { adviseKeys, type Advice, type AdviceReport, type Rights } from './advise.js';
export { findRecorded, type Recorded } from './find.js';
export { policyAtHand } from './at-hand.js';
export { comparePolicies, type Changed, type NamedInput, type PolicyDifference } from './compare.js';
export {
  explainDecision,
  type DecisionRecord,
  type ExplainedReason,
  type Explanation,
  type PolicyAtHand,
} from './explain.js';
export {
  matrixOf,
  permissionActions,
  roleCallers,
  routeActions,
  type Matrix,
  type MatrixAction,
  type MatrixCaller,
  type MatrixCell,
} from './matrix.js';
export { openPolicy, readManifestKeys, readNamedCases, type PolicyPlace } from './open.js';
export { manifestPatch } from './patch.js';
export type { Caller } from './question.js';
export { replayLog, type ReplayChange, type ReplayReport } from './replay.js';
export { traceDecision, type Trace } from './trace.js';
export { whatIf, type WhatIf } from './what-if.js';
