import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { readBundle, signBundle } from '../../src/bundle/bundle.js';
import { digestOf } from '../../src/bundle/documents.js';
import { signFiles } from '../../src/bundle/sign.js';
import { writeTar } from '../../src/bundle/tar.js';
import { signatureAlgorithms, type SignatureAlgorithm } from '../../src/model/signature.js';
import { membersOf, packed, pairOf, pem, shipped, signingKey, trusting } from './support/forge.js';

const root = resolve('.');
const opa = join(root, '.cache', 'bin', 'opa');
const skip = !existsSync(opa) && process.env['CI'] !== 'true' ? 'left out: opa in .cache/bin' : false;
const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (args: readonly string[], cwd = root): Promise<Ended> =>
  new Promise((done) => {
    execFile(opa, args, { cwd, timeout: 60_000, maxBuffer: 64 * 1_048_576 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });

/** Both halves of the key for an algorithm, as files. */
function keyFiles(
  t: Test,
  algorithm: SignatureAlgorithm,
): { readonly key: string; readonly pub: string; readonly dir: string } {
  const dir = t.testdir({ 'key.pem': pem(pairOf[algorithm].privateKey), 'pub.pem': pem(pairOf[algorithm].publicKey) });
  return { key: join(dir, 'key.pem'), pub: join(dir, 'pub.pem'), dir };
}

const withId = (algorithm: SignatureAlgorithm, id: string): ReturnType<typeof trusting> => {
  const [key] = [...trusting(algorithm).keys.values()];
  if (key === undefined) throw new Error('no key');
  return { keys: new Map([[id, { ...key, id }]]) };
};

const numberText = fc.oneof(
  fc.constantFrom('0', '-0', '1.0', '1e3', '1E+3', '0.10', '1e-7', '1e21', '1e400', '-0.0', '100000000000000000000'),
  fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);

const awkward = fc.constantFrom(
  ...[
    '\u2028',
    '\u2029',
    '<',
    '>',
    '&',
    '\u0000',
    '\u001f',
    '\u007f',
    '\u0080',
    '\ue000',
    '\uffff',
    '😀',
    '𐀀',
    '"',
    '\\',
    '/',
  ],
  ...['\b', '\f', '\n', '\r', '\t', 'é', 'a', 'Z', '_', '$'],
);
const stringValue = fc.oneof(
  fc.array(awkward, { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);

/** A string in one of its many JSON spellings. */
const stringText = fc.tuple(stringValue, fc.constantFrom('plain', 'escaped', 'slashes')).map(([value, how]) => {
  const text = JSON.stringify(value);
  if (how === 'slashes') return text.replaceAll('/', '\\/');
  if (how === 'plain') return text;
  const units = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at).toString(16).padStart(4, '0'));
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
});

const blank = fc.constantFrom('', ' ', '\n', '\t ', '\r\n');
const { document } = fc.letrec<{ document: string; value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom('true', 'false', 'null'),
    numberText,
    stringText,
    fc.tuple(fc.array(tie('value'), { maxLength: 4 }), blank).map(([items, gap]) => `[${items.join(`,${gap}`)}${gap}]`),
    tie('document'),
  ),
  document: fc
    .tuple(
      fc.uniqueArray(fc.tuple(stringText, tie('value')), {
        maxLength: 8,
        selector: ([name]) => JSON.parse(name) as string,
      }),
      blank,
    )
    .map(([fields, gap]) => `{${gap}${fields.map(([name, value]) => `${name}${gap}:${value}`).join(`,${gap}`)}}`),
}));

const accepted = (text: string): boolean => !/__proto__|constructor|prototype/.test(text);

/** The vectors of the design: each differs under `JSON.parse` and `JSON.stringify`, or under a sort by UTF-16. */
const vectors = [
  '{"a":1.0,"b":1e3,"c":0.10,"d":12345678901234567890,"e":-0}',
  '{"\u{10000}":1,"\ue000":2,"\uffff":3,"a":4,"B":5}',
  '{"s":"\\u2028\\u2029\\u003c\\u003e\\u0026\\u0000\\u007f\\/"}',
  '{"b":{"z":1,"y":[{"d":1,"c":2}]},"a":null}',
];

interface SignedFile {
  readonly name: string;
  readonly hash: string;
}

const payloadOf = (bytes: Uint8Array): { readonly files: readonly SignedFile[] } => {
  const { signatures } = JSON.parse(Buffer.from(bytes).toString()) as { signatures: string[] };
  return JSON.parse(Buffer.from(signatures[0]?.split('.')[1] ?? '', 'base64url').toString()) as { files: SignedFile[] };
};

t.test('digestOf() agrees with opa on generated documents', { skip }, async (t) => {
  t.comment(`seed ${String(seed)}`);
  const { key, dir } = keyFiles(t, 'ES256');
  const texts = [...vectors, ...fc.sample(document, { seed, numRuns: 1_000 })].filter(accepted);
  for (const [index, text] of texts.entries()) {
    mkdirSync(join(dir, 'b', `d${String(index)}`), { recursive: true });
    writeFileSync(join(dir, 'b', `d${String(index)}`, 'data.json'), text);
  }
  const signed = await run(['sign', '--signing-alg', 'ES256', '--signing-key', key, '-b', 'b', '-o', dir], dir);
  t.equal(signed.code, 0, signed.stderr);
  const { files } = payloadOf(readFileSync(join(dir, '.signatures.json')));
  t.equal(files.length, texts.length);
  let differ = 0;
  for (const { name, hash } of files) {
    const text = texts[Number(/d(\d+)\/data\.json$/.exec(name)?.[1])] ?? '';
    if ((await digestOf('data.json', Buffer.from(text), 'SHA-256')) === hash) continue;
    differ += 1;
    t.fail(`${name}: ${text}`);
  }
  t.equal(differ, 0, `${String(files.length)} documents`);
});

/** The shipped sources with a serial in their manifest. */
function sources(dir: string): void {
  cpSync(join(root, 'policies', 'bundle'), join(dir, 'src'), { recursive: true });
  const file = join(dir, 'src', '.manifest');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(
    file,
    JSON.stringify({ ...manifest, metadata: { memgate: { serial: 41, not_after: '2030-01-01T00:00:00Z' } } }),
  );
}

for (const algorithm of signatureAlgorithms) {
  t.test(`readBundle() takes what opa build has signed with ${algorithm}`, { skip }, async (t) => {
    const { key, dir } = keyFiles(t, algorithm);
    sources(dir);
    const build = [
      'build',
      '-t',
      'wasm',
      '-b',
      '.',
      '--ignore',
      '*_test.rego',
      '--revision',
      'r41',
      '-o',
      join(dir, 'b.tar.gz'),
    ];
    const ended = await run([...build, '--signing-alg', algorithm, '--signing-key', key], join(dir, 'src'));
    t.equal(ended.code, 0, ended.stderr);
    const read = await readBundle(readFileSync(join(dir, 'b.tar.gz')), withId(algorithm, 'default'));
    const notAfterMs = Date.parse('2030-01-01T00:00:00Z');
    t.match(read, { ok: true, value: { signedBy: 'default', revision: 'r41', serial: 41, notAfterMs } });
  });

  t.test(`opa takes what signBundle() has signed with ${algorithm}, and refuses it changed`, { skip }, async (t) => {
    const { pub, dir } = keyFiles(t, algorithm);
    const signed = await signBundle(readFileSync(shipped), signingKey(algorithm), { serial: 9, notAfterMs: null });
    if (!signed.ok) throw new Error(signed.why.map(({ message }) => message).join());
    writeFileSync(join(dir, 'ours.tar.gz'), signed.value);
    const verify = [
      'build',
      '-b',
      'ours.tar.gz',
      '--verification-key',
      pub,
      '--verification-key-id',
      'ci',
      '--signing-alg',
      algorithm,
    ];
    const taken = await run([...verify, '-o', 'again.tar.gz'], dir);
    t.equal(taken.code, 0, taken.stderr);
    const wrong = keyFilesOf(t, algorithm === 'EdDSA' ? 'ES256' : 'EdDSA');
    const refused = await run(
      ['build', '-b', 'ours.tar.gz', '--verification-key', wrong, '--signing-alg', algorithm, '-o', 'x.tar.gz'],
      dir,
    );
    t.not(refused.code, 0, 'another key');
    const inspected = await run(['inspect', '--format', 'json', 'ours.tar.gz'], dir);
    t.equal(inspected.code, 0, inspected.stderr);
    t.match(JSON.parse(inspected.stdout), { manifest: { metadata: { memgate: { serial: 9 } } } });
  });
}

const keyFilesOf = (t: Test, algorithm: SignatureAlgorithm): string => {
  const file = join(t.testdirName, `other-${algorithm}.pem`);
  writeFileSync(file, pem(pairOf[algorithm].publicKey));
  return file;
};

/** Starts `opa run` over this bundle. @returns the roles that it knows from the bundle, or what it said when it ended */
async function served(t: Test, cwd: string, args: readonly string[]): Promise<string> {
  const socket = join(mkdtempSync(join(tmpdir(), 'opa-')), 's'); // the path of a socket has its limit
  const child = spawn(opa, ['run', '--server', '--addr', `unix://${socket}`, '--skip-version-check', ...args], { cwd });
  let said = '';
  for (const stream of [child.stderr, child.stdout]) stream.on('data', (text: Buffer) => (said += text.toString()));
  const ended = new Promise<string>((done) =>
    child.once('close', () => {
      rmSync(dirname(socket), { recursive: true, force: true });
      done(said);
    }),
  );
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const answered = async (): Promise<string> => {
    for (;;) {
      const answer = await rolesBy(socket);
      if (answer !== null) return answer;
      if (child.exitCode !== null) return ended;
      await pause(50);
    }
  };
  return Promise.race([
    answered(),
    ended,
    pause(30_000, null, { ref: false }).then(() => `nothing within 30 s: ${said}`),
  ]);
}

const rolesBy = (socketPath: string): Promise<string | null> =>
  new Promise((done) => {
    const ask = request({ socketPath, path: '/v1/data/roles', agent: false }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => done(text));
    });
    ask.on('error', () => done(null));
    ask.end();
  });

t.test('opa run verifies what signFiles() has signed', { skip }, async (t) => {
  const { pub, dir } = keyFiles(t, 'ES256');
  sources(dir);
  const built = await run(
    ['build', '-b', '.', '--ignore', '*_test.rego', '-o', join(dir, 'b.tar.gz')],
    join(dir, 'src'),
  );
  t.equal(built.code, 0, built.stderr);
  const files = await membersOf(readFileSync(join(dir, 'b.tar.gz')));
  const claims = { serial: 9, notAfterMs: null };
  writeFileSync(join(dir, 'ours.tar.gz'), gzipSync(writeTar(await signFiles(files, signingKey(), claims))));
  const trusted = ['--verification-key', pub, '--verification-key-id', 'ci', '--signing-alg', 'ES256'];
  t.match(await served(t, dir, ['-b', 'ours.tar.gz', ...trusted]), /"reader":\{/);

  const changed = new Map(await membersOf(readFileSync(join(dir, 'ours.tar.gz')))).set('data.json', Buffer.from('{}'));
  writeFileSync(join(dir, 'changed.tar.gz'), await packed(changed));
  t.match(await served(t, dir, ['-b', 'changed.tar.gz', ...trusted]), /data\.json: digest mismatch/);

  // The usual build of opa verifies a bundle for WebAssembly, and then lacks the engine for it.
  const wasm = await signBundle(readFileSync(shipped), signingKey(), claims);
  writeFileSync(join(dir, 'wasm.tar.gz'), wasm.ok ? wasm.value : '');
  t.match(await served(t, dir, ['-b', 'wasm.tar.gz', ...trusted]), /"reader":\{|engine not found/);
});
