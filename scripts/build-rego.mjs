// Builds tools/rego-wasm: the policy compiler as WebAssembly, with a bound on its memory, packed, with its hashes and the
// notices of everything in it. `--check` builds it anew and says whether the committed files are what comes out.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { boundMemory } from './rego/bound-memory.mjs';

const directory = fileURLToPath(new URL('../tools/rego-wasm/', import.meta.url));
const at = (name) => join(directory, name);
const memoryMaxMebibytes = 256;
const say = (line) => process.stdout.write(`rego: ${line}\n`);

class Failed extends Error {}

const goWanted = /^go (\S+)$/m.exec(readFileSync(at('go.mod'), 'utf8'))[1];
// What comes out depends on nothing that a machine has set: not on its flags, its workspace or its place.
const env = {
  ...process.env,
  GOTOOLCHAIN: `go${goWanted}`,
  GOOS: 'wasip1',
  GOARCH: 'wasm',
  CGO_ENABLED: '0',
  GOFLAGS: '',
  GOEXPERIMENT: '',
  GOWASM: '',
  GOWORK: 'off',
};

function go(...args) {
  try {
    return execFileSync('go', args, { cwd: directory, env, encoding: 'utf8', maxBuffer: 1 << 26, stdio: 'pipe' });
  } catch (error) {
    const output = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim();
    throw new Failed(`go ${args[0]}: ${output === '' ? error.message : output}`);
  }
}

function checkGo() {
  const found = go('env', 'GOVERSION').trim();
  if (found !== `go${goWanted}`)
    throw new Failed(
      `Go is ${found}; wanted go${goWanted}, the one of tools/rego-wasm/go.mod: another one gives other bytes`,
    );
}

function compile() {
  const scratch = mkdtempSync(join(tmpdir(), 'memgate-rego-build-'));
  try {
    const target = join(scratch, 'rego.wasm');
    const flags = ['-trimpath', '-buildvcs=false', '-buildmode=c-shared', '-ldflags=-s -w -buildid=', '-mod=readonly'];
    go('build', ...flags, '-o', target, '.');
    return boundMemory(readFileSync(target), memoryMaxMebibytes);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The licence files of every module that is compiled in, and of the language's own library. */
function notices() {
  const format = '{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}';
  const lines = new Set(go('list', '-deps', '-f', format, '.').split('\n').filter(Boolean));
  const modules = [...lines].map((line) => line.split('\t')).sort(([a], [b]) => (a < b ? -1 : 1));
  const own = ['Go standard library and runtime', `go${goWanted}`, go('env', 'GOROOT').trim()];
  const parts = [own, ...modules].map(([path, version, place]) => {
    const files = readdirSync(place).filter((name) => /^(?:licen[cs]e|copying|notice|patents)(?:[.-].*)?$/i.test(name));
    if (files.length === 0) throw new Failed(`${path} has no licence file`);
    const texts = files.sort().map((name) => `${name}:\n\n${readFileSync(join(place, name), 'utf8').trim()}`);
    return `${'='.repeat(100)}\n${path} ${version}\n\n${texts.join('\n\n')}\n`;
  });
  const head = `rego.wasm is compiled from main.go and its neighbours, and from these ${String(parts.length)} works.\nWritten by npm run build:rego.\n`;
  return `${[head, ...parts].join('\n').replace(/\r\n?/g, '\n')}`;
}

function write() {
  const wasm = compile();
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
  say(`${String(wasm.length)} bytes; packing takes minutes`);
  const size = { [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length };
  const packed = brotliCompressSync(wasm, { params: { ...quality, ...size } });
  writeFileSync(at('rego.wasm.br'), packed);
  writeFileSync(at('rego.wasm.sha256'), `${sha256(wasm)}  rego.wasm\n${sha256(packed)}  rego.wasm.br\n`);
  writeFileSync(at('NOTICES'), notices());
  say(`written: ${String(packed.length)} bytes packed`);
}

/** The packed bytes are not compared: another version of the packer may write other ones for the same content. */
function check() {
  for (const name of ['rego.wasm.br', 'rego.wasm.sha256', 'NOTICES'])
    if (!existsSync(at(name))) throw new Failed(`tools/rego-wasm/${name} is missing; run npm run build:rego`);
  const packed = readFileSync(at('rego.wasm.br'));
  const committed = sha256(brotliDecompressSync(packed));
  const told = `${committed}  rego.wasm\n${sha256(packed)}  rego.wasm.br\n`;
  if (readFileSync(at('rego.wasm.sha256'), 'utf8') !== told)
    throw new Failed('rego.wasm.sha256 does not hold the hashes of rego.wasm.br; run npm run build:rego');
  const built = sha256(compile());
  if (built !== committed)
    throw new Failed(`a build gives ${built}, committed is ${committed}; run npm run build:rego`);
  if (notices() !== readFileSync(at('NOTICES'), 'utf8'))
    throw new Failed('NOTICES is not what the modules say; run npm run build:rego');
  say(`ok: a build gives the committed ${committed}`);
}

try {
  checkGo();
  if (process.argv.includes('--check')) check();
  else write();
} catch (error) {
  if (!(error instanceof Failed)) throw error;
  say(`FAILED: ${error.message}`);
  process.exitCode = 1;
}
