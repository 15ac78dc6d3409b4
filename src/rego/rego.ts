export { compileAside, compileBytes } from './aside.js';
export { opaVersion } from './pin.js';
export type {
  Answer,
  Compiler,
  CompilerBounds,
  Coverage,
  Explanation,
  FileCoverage,
  RegoProblem,
  RegoSources,
  RegoTest,
  TestReport,
  TraceStep,
} from './port.js';
export { describeRegoProblem } from './problems.js';
export { openCompiler, type CompilerOptions } from './open.js';
export { isSource, namesOf, readSourceDirectory, shippedCapabilities, sourceRevision } from './sources.js';
