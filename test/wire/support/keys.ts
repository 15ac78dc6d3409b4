import { randomBytes } from 'node:crypto';
import { hashKey } from '../../../src/identify/key-hash.js';
import { newKey } from '../../../src/identify/key.js';

export const keyNames = ['KA', 'KB', 'KR', 'KALL', 'KX', 'KV', 'KADM', 'KO'] as const;
export type KeyName = (typeof keyNames)[number];

/** A key of the fixture: what the client has, and what the manifest says of it. */
export interface FixtureKey {
  readonly id: string;
  /** The whole credential. */
  readonly text: string;
  /** What nobody but the client may ever hold: secret and checksum. */
  readonly secret: string;
  /** Its entry of the manifest. */
  readonly entry: Readonly<Record<string, unknown>>;
}

export interface Fixture extends Readonly<Record<KeyName, FixtureKey>> {
  /** The static token. */
  readonly ST: string;
}

const readWrite = ['MemoryRead', 'MemoryWrite', 'MemoryDelete'];
const wishes: Readonly<Record<KeyName, Readonly<Record<string, unknown>>>> = {
  KA: { spaces: ['alpha'], permissions: readWrite },
  KB: { spaces: ['beta'], permissions: readWrite },
  KR: { spaces: ['alpha'], permissions: ['MemoryRead'] },
  KALL: { spaces: ['*'], permissions: [...readWrite, 'SpaceList', 'SpaceCreate', 'SpaceDelete'] },
  KX: { spaces: ['alpha'], permissions: readWrite, expires_at: '2020-01-01T00:00:00Z' },
  KV: { spaces: ['alpha'], permissions: readWrite, revoked: { at: '2026-01-01T00:00:00Z', reason: 'test only' } },
  KADM: {
    spaces: ['*'],
    permissions: ['AdminConfig', 'AdminKeyManagement', 'AdminPolicy', 'AdminAudit', 'AdminIncident'],
  },
  KO: { spaces: ['alpha'], permissions: readWrite },
};

/** Makes a key that works nowhere else. Its tier has no limit unless `wish` says so. */
export async function makeKey(
  name: string,
  wish: Readonly<Record<string, unknown>>,
  prefix = 'engram_key',
): Promise<FixtureKey> {
  const { id, text } = newKey(prefix);
  const entry = {
    id,
    hash: await hashKey(text),
    name: `test only ${name}`,
    owner: `owner-${name.toLowerCase()}`,
    tier: 'unlimited',
    ...wish,
  };
  return { id, text, secret: text.slice(text.lastIndexOf('_') + 1), entry };
}

/** The keys of the cases' fixture. */
export async function makeFixture(): Promise<Fixture> {
  const made = await Promise.all(
    keyNames.map(async (name) => [name, await makeKey(name, wishes[name], name === 'KO' ? 'kor' : undefined)] as const),
  );
  return { ...(Object.fromEntries(made) as Record<KeyName, FixtureKey>), ST: randomBytes(24).toString('base64url') };
}
