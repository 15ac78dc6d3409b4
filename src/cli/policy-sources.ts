import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { describeProblem } from '../base/document.js';
import { readSources, type Layout, type ReadSources } from '../policies/policies.js';
import { openCompiler, type Compiler } from '../rego/rego.js';
import { CommandFailure } from './print.js';

/** Where the parts of a team's policies are, and what compiles them. */
export interface SourceOptions {
  readonly sources?: string;
  readonly cases?: string;
  readonly capabilities?: string;
  readonly output?: string;
  readonly compiler: 'auto' | 'native' | 'wasm';
  readonly opa?: string;
}

/** What a command works with. */
export interface PolicyParts {
  readonly layout: Layout;
  readonly sources: ReadSources;
  readonly compiler: Compiler;
}

/** The argument and the options of every command that reads sources. */
export const sourceOptions = (command: Command): Command =>
  command
    .argument('[dir]', 'directory with bundle/, cases/, capabilities.json and dist/', 'policies')
    .option('--sources <dir>', 'root of the bundle; default is DIR/bundle')
    .option('--cases <dir>', 'cases; default is DIR/cases')
    .option(
      '--capabilities <file>',
      'what the compiler may use; default is DIR/capabilities.json, or the shipped one where there is none',
    )
    .option('--output <file>', 'the compiled bundle; default is DIR/dist/memgate.tar.gz')
    .addOption(compilerOption())
    .option(
      '--opa <file>',
      'program of the policy compiler; default is the one of the PATH, when it is of the right version',
    );

const compilerOption = (): Option =>
  new Option(
    '--compiler <kind>',
    'native is opa as a program, wasm the one that memgate brings; auto takes the first that is there',
  )
    .choices(['auto', 'native', 'wasm'])
    .default('auto');

function layoutOf(dir: string, options: SourceOptions): Layout {
  const own = join(dir, 'capabilities.json');
  return {
    bundleDir: options.sources ?? join(dir, 'bundle'),
    casesDir: options.cases ?? join(dir, 'cases'),
    capabilitiesFile: options.capabilities ?? (existsSync(own) ? own : null),
    outputFile: options.output ?? join(dir, 'dist', 'memgate.tar.gz'),
  };
}

/** Reads the sources, opens a compiler, and closes it whatever happens. */
export async function withPolicies<T>(
  dir: string,
  options: SourceOptions,
  use: (parts: PolicyParts) => Promise<T>,
): Promise<T> {
  const layout = layoutOf(dir, options);
  const sources = await readSources(layout);
  if (!sources.ok) throw new CommandFailure(1, sources.why.map(describeProblem).join('\n'));
  const compiler = await openCompiler({
    ...(options.compiler === 'auto' ? {} : { only: options.compiler }),
    ...(options.opa === undefined ? {} : { opa: options.opa }),
  });
  if (!compiler.ok) throw new CommandFailure(1, compiler.why);
  try {
    return await use({ layout, sources: sources.value, compiler: compiler.value });
  } finally {
    await compiler.value.close();
  }
}
