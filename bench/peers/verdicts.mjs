// `node bench/peers/verdicts.mjs`: every engine decides on every case of cases.json, and all must agree with it.
// `--proxies` asks the whole proxies of variants.mjs as well. It ends with an error when one verdict differs or an engine is missing.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { missingOf, startVariant, stop } from '../live.mjs';
import { openPlace } from '../place.mjs';
import { cacheDir } from './build.mjs';
import { readCases } from './cases.mjs';
import { memgateProcess, nodeService, opaServer, proxy } from './engines.mjs';
import variants from './variants.mjs';

const atATime = 8;

/** Says yes to everything that reaches it, and counts. */
async function startUpstream() {
  const counts = { reached: 0 };
  const server = createServer((request, response) => {
    counts.reached += 1;
    request.resume().on('end', () => response.end());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { counts, server, port: String(server.address().port) };
}

const agrees = (one, { allow, reasons }) =>
  allow === one.allow && (reasons === undefined || JSON.stringify(reasons) === JSON.stringify(one.reasons));

/** One engine on all of its cases. */
async function askAll(engine, { place, cases }) {
  const missing = missingOf(engine.variant, place.vars);
  if (missing !== null) return { engine: engine.name, missing, asked: 0, withReasons: 0, wrong: [] };
  const upstream = await startUpstream();
  const local = { ...place, vars: { ...place.vars, UPSTREAM: upstream.port } };
  const live = await startVariant(engine.variant, local, { pin: null, cpuProf: null });
  try {
    const taken = cases.filter(engine.takes ?? (() => true));
    const answers = [];
    for (let from = 0; from < taken.length; from += atATime) {
      const some = taken.slice(from, from + atATime);
      answers.push(...(await Promise.all(some.map((one) => engine.ask(live, one)))));
    }
    const again = engine.finish?.(live, answers);
    const wrong = taken.flatMap((one, index) => (agrees(one, answers[index]) ? [] : [{ ...one, got: answers[index] }]));
    const withReasons = answers.filter(({ reasons }) => reasons !== undefined).length;
    return { engine: engine.name, missing: null, asked: taken.length, withReasons, wrong, again, ...upstream.counts };
  } finally {
    await stop(live.roots.map(({ child }) => child));
    upstream.server.close();
    upstream.server.closeAllConnections();
  }
}

/** Verdicts of the engines, and with `isWithProxies` of the proxies too, one result each. */
export async function compareVerdicts({ cases = readCases(), isWithProxies = false } = {}) {
  mkdirSync(cacheDir, { recursive: true });
  const place = openPlace({ work: cacheDir, isKept: false });
  const keys = [...new Set(cases.map(({ key }) => key))].filter((key) => typeof key === 'number');
  const proxies = variants.filter(
    ({ name, checks, copyOf }) => checks === 'proxy' && copyOf === undefined && !/^memgate|-small$/.test(name),
  );
  const engines = [opaServer, nodeService, memgateProcess(keys), ...(isWithProxies ? proxies.map(proxy) : [])];
  const results = [];
  for (const engine of engines) results.push(await askAll(engine, { place, cases }));
  return results;
}

const lineOf = ({ engine, missing, asked, withReasons, wrong, again }) => {
  if (missing !== null) return `${engine}: ${missing}`;
  const evaluated =
    again === undefined ? '' : `; opa eval on ${again.count} records: ${again.differing} decisions differ`;
  return `${engine}: ${asked} cases, ${wrong.length} differ; reasons compared on ${withReasons}${evaluated}`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await compareVerdicts({ isWithProxies: process.argv.includes('--proxies') });
  for (const result of results) {
    process.stdout.write(`${lineOf(result)}\n`);
    for (const one of result.wrong.slice(0, 5)) process.stdout.write(`  ${JSON.stringify(one)}\n`);
  }
  const isFine = results.every(
    ({ missing, wrong, again }) => missing === null && wrong.length === 0 && (again?.differing ?? 0) === 0,
  );
  process.exitCode = isFine ? 0 : 1;
}
