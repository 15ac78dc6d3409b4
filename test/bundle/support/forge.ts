import { createHash, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packTar, unpackTar } from 'modern-tar';
import type { SigningKey } from '../../../src/bundle/bundle.js';
import type { SignatureAlgorithm } from '../../../src/model/signature.js';
import type { Verification } from '../../../src/bundle/bundle.js';

export const shipped = fileURLToPath(new URL('../../../policies/dist/memgate.tar.gz', import.meta.url));

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const curve = (namedCurve: string): Pair => generateKeyPairSync('ec', { namedCurve });

/** Key pairs of this run. */
export const pairs = {
  p256: curve('prime256v1'),
  other: curve('prime256v1'),
  p384: curve('secp384r1'),
  p521: curve('secp521r1'),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  short: generateKeyPairSync('rsa', { modulusLength: 1_024 }),
  ed25519: generateKeyPairSync('ed25519'),
} as const;

export const pairOf: Readonly<Record<SignatureAlgorithm, Pair>> = {
  ES256: pairs.p256,
  ES384: pairs.p384,
  ES512: pairs.p521,
  RS256: pairs.rsa,
  RS384: pairs.rsa,
  RS512: pairs.rsa,
  PS256: pairs.rsa,
  PS384: pairs.rsa,
  PS512: pairs.rsa,
  EdDSA: pairs.ed25519,
};

export const pem = (key: KeyObject): string =>
  key.type === 'private'
    ? key.export({ type: 'pkcs8', format: 'pem' }).toString()
    : key.export({ type: 'spki', format: 'pem' }).toString();

export const signingKey = (algorithm: SignatureAlgorithm = 'ES256', scope = ''): SigningKey => ({
  id: 'ci',
  algorithm,
  key: pairOf[algorithm].privateKey,
  scope,
});

/** Trusts the test's key `ci`. */
export const trusting = (algorithm: SignatureAlgorithm = 'ES256', scope = ''): Verification => ({
  keys: new Map([['ci', { id: 'ci', algorithm, key: pairOf[algorithm].publicKey, scope }]]),
});

export type Members = ReadonlyMap<string, Uint8Array>;

/** The files of a bundle, by another reader than ours. */
export async function membersOf(packed: Uint8Array): Promise<Map<string, Uint8Array>> {
  const entries = await unpackTar(gunzipSync(packed));
  return new Map(entries.map(({ header, data }) => [header.name.replace(/^\//, ''), Buffer.from(data ?? [])]));
}

export const shippedMembers = (): Promise<Map<string, Uint8Array>> => membersOf(readFileSync(shipped));

/** By another writer than ours. */
export async function packed(members: Members): Promise<Buffer> {
  const entries = [...members].map(([name, data]) => ({
    header: { name: `/${name}`, size: data.length, type: 'file' as const },
    body: Uint8Array.from(data),
  }));
  return gzipSync(await packTar(entries));
}

/** The shipped bundle with a part of its manifest replaced. */
export async function withManifest(over: object): Promise<Map<string, Uint8Array>> {
  const members = await shippedMembers();
  const manifest = JSON.parse(Buffer.from(members.get('.manifest') ?? []).toString()) as object;
  return members.set('.manifest', Buffer.from(JSON.stringify({ ...manifest, ...over })));
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
};

/** Good for documents of plain names and small whole numbers. */
const plainContent = (name: string, bytes: Uint8Array): Uint8Array | string =>
  name === 'data.json' || name === '.manifest'
    ? JSON.stringify(sorted(JSON.parse(Buffer.from(bytes).toString())))
    : bytes;

export interface Listed {
  readonly name: string;
  readonly hash: string;
  readonly algorithm: string;
}

export const listed = (members: Members, hash = 'sha256', algorithm = 'SHA-256'): Listed[] =>
  [...members]
    .filter(([name]) => name !== '.signatures.json')
    .map(([name, bytes]) => ({
      name,
      hash: createHash(hash).update(plainContent(name, bytes)).digest('hex'),
      algorithm,
    }));

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A compact JWS, made here and not by the code under test. */
export function jws(
  header: object,
  payload: object,
  signer: (text: Buffer) => Buffer = byKey(pairs.p256.privateKey),
): string {
  const text = `${base64url(header)}.${base64url(payload)}`;
  return `${text}.${signer(Buffer.from(text)).toString('base64url')}`;
}

export const byKey =
  (key: KeyObject) =>
  (text: Buffer): Buffer =>
    sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' });

export const bySecret =
  (secret: string) =>
  (text: Buffer): Buffer =>
    createHmac('sha256', secret).update(text).digest();

export const es256 = { alg: 'ES256', kid: 'ci', typ: 'JWT' } as const;

/** These files with these signatures over them. */
export const signedBy = (members: Members, ...tokens: readonly string[]): Promise<Buffer> =>
  packed(
    new Map(members).set('.signatures.json', Buffer.from(JSON.stringify({ signatures: tokens, plugin: '_default' }))),
  );

/** A block of a tar archive by hand, so that it can say anything. */
export interface RawEntry {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly link?: string;
  /** As it stands in the header; the length of the data unless told. */
  readonly size?: string | Buffer;
  readonly data?: Uint8Array;
  readonly prefix?: string;
}

export function rawTar(entries: readonly RawEntry[], end = Buffer.alloc(1_024)): Buffer {
  const blocks = entries.flatMap(({ name, type = '0', link = '', size, data = Buffer.alloc(0), prefix = '' }) => {
    const head = Buffer.alloc(512);
    Buffer.from(name).copy(head, 0, 0, 100);
    head.write('0000600\x000000000\x000000000\x00', 100);
    Buffer.from(size ?? `${data.length.toString(8).padStart(11, '0')}\0`).copy(head, 124);
    head.write('00000000000\x00        ', 136);
    head.write(type, 156);
    head.write(link, 157);
    head.write('ustar\x0000', 257);
    head.write(prefix, 345);
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [head, Buffer.from(data), Buffer.alloc(-data.length & 511)];
  });
  return Buffer.concat([...blocks, end]);
}
