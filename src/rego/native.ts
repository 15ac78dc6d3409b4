import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { no, ok } from '../base/result.js';
import { withDeadline } from './deadline.js';
import { allPassed, readCoverage, readTests } from './answers.js';
import { parsed, placed, told, type NativeCall, type Opa } from './native-call.js';
import { evaluateNative, explainNative } from './native-evaluate.js';
import { opaVersion } from './pin.js';
import type { Answer, Compiler, CompilerBounds, RegoSources, TestReport } from './port.js';
import { problemsIn } from './problems.js';
import { run, type Ran } from './run.js';
import { withScratch } from './scratch.js';
import { hasTests, policyOnly, textsOf, type Texts } from './texts.js';

/** The compiler as a program of this machine. Each call runs it anew over a copy of the sources. */
export function createNative(program: string, { callMs, outputBytes }: CompilerBounds): Compiler {
  const closing = new AbortController();
  const opaUnder =
    (signal: AbortSignal): Opa =>
    (args, cwd, input = '') =>
      run(program, args, { cwd, input, outputBytes, signal });
  async function over<T>(
    { files, capabilities }: RegoSources,
    part: (texts: Texts) => Texts,
    use: (call: NativeCall) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const read = textsOf(files);
    if (!read.ok) return read;
    const texts = part(read.value);
    return withDeadline(callMs, closing.signal, (signal) =>
      withScratch(texts, capabilities, (scratch) => use({ texts, scratch, opa: opaUnder(signal) })),
    );
  }
  const all = (texts: Texts): Texts => texts;
  return {
    kind: 'native',
    version: opaVersion,
    check: async (sources) => {
      const policy = await over(sources, policyOnly, checkPolicy);
      const whole = policy.ok ? await over(sources, all, checkTests) : policy;
      return whole.ok ? [] : whole.why;
    },
    format: (sources) => over(sources, all, format),
    test: (sources, { coverage }) => over(sources, all, (call) => test(call, coverage)),
    build: (sources, { revision }) => over(sources, policyOnly, (call) => build(call, revision)),
    evaluate: (sources, inputs) => over(sources, policyOnly, (call) => evaluateNative(call, inputs)),
    explain: (sources, inputText) => over(sources, policyOnly, (call) => explainNative(call, inputText)),
    close: () => {
      closing.abort();
      return Promise.resolve();
    },
  };
}

const strict = ['check', '--strict', '--format', 'json', '-b', '.'];

const checkPolicy = ({ scratch, opa }: NativeCall): Promise<Answer<null>> =>
  checked(opa([...strict, '--capabilities', scratch.capabilities], scratch.bundle));

async function checkTests({ texts, scratch, opa }: NativeCall): Promise<Answer<null>> {
  if (!hasTests(texts)) return ok(null);
  const within = await testCapabilities({ scratch, opa });
  return within.ok ? checked(opa([...strict, ...within.value], scratch.bundle)) : within;
}

/** Tests run wherever somebody proposes a policy, and in the process that serves at a reload: they ask no other machine. */
const outside: ReadonlySet<unknown> = new Set(['http.send', 'net.lookup_ip_addr', 'opa.runtime']);
const capabilitiesForm = z.looseObject({ builtins: z.array(z.looseObject({ name: z.string() })) });

/** Tests may use what the compiler has, but what leads outside, which its form as WebAssembly has not either. */
async function testCapabilities({
  scratch,
  opa,
}: Pick<NativeCall, 'scratch' | 'opa'>): Promise<Answer<readonly string[]>> {
  const ran = await opa(['capabilities', '--current'], scratch.bundle);
  if (!ran.ok) return ran;
  const all = capabilitiesForm.safeParse(parsed(ran.value.stdout));
  if (!all.success) return no([told(ran.value)]);
  const builtins = all.data.builtins.filter(({ name }) => !outside.has(name));
  const text = JSON.stringify({ ...all.data, builtins, allow_net: [] });
  return ok(['--capabilities', await scratch.write('test-capabilities.json', text)]);
}

async function checked(running: Promise<Answer<Ran>>): Promise<Answer<null>> {
  const ran = await running;
  if (!ran.ok) return ran;
  return ran.value.code === 0 ? ok(null) : no(problemsIn(ran.value.stderr) ?? [told(ran.value)]);
}

async function format(call: NativeCall): Promise<Answer<ReadonlyMap<string, string>>> {
  const { texts, scratch, opa } = call;
  const ran = await opa(['fmt', '--write', '.'], scratch.bundle);
  if (!ran.ok) return ran;
  if (ran.value.code !== 0) return placed(call, ran.value);
  const changed = new Map<string, string>();
  for (const [path, text] of texts) {
    if (!path.endsWith('.rego')) continue;
    const formatted = await scratch.read(path);
    if (formatted !== text) changed.set(path, formatted);
  }
  return ok(changed);
}

async function test(call: NativeCall, wantsCoverage: boolean): Promise<Answer<TestReport>> {
  const { scratch, opa } = call;
  const within = await testCapabilities(call);
  if (!within.ok) return within;
  const how = ['test', '-b', '.', '--format', 'json', ...within.value];
  const ran = await opa(how, scratch.bundle);
  if (!ran.ok) return ran;
  const tests = readTests(parsed(ran.value.stdout));
  if (tests === null) return placed(call, ran.value);
  if (!wantsCoverage || !allPassed(tests)) return ok({ tests, coverage: null });
  const covered = await opa([...how, '--coverage'], scratch.bundle);
  if (!covered.ok) return covered;
  const coverage = readCoverage(parsed(covered.value.stdout));
  return coverage === null ? no([told(covered.value)]) : ok({ tests, coverage });
}

async function build(call: NativeCall, revision: string): Promise<Answer<Buffer>> {
  const { scratch, opa } = call;
  const good = await checkPolicy(call);
  if (!good.ok) return good;
  const ran = await opa(
    [
      'build',
      '-t',
      'wasm',
      '-b',
      '.',
      '--capabilities',
      scratch.capabilities,
      '--revision',
      revision,
      '-o',
      scratch.target,
    ],
    scratch.bundle,
  );
  if (!ran.ok) return ran;
  return ran.value.code === 0 ? ok(await readFile(scratch.target)) : no([told(ran.value)]);
}
