import { environment } from '../base/env.js';
import { LiveSecrets, type LiveSecret } from '../base/live-secret.js';
import type { SecretSource } from '../base/secret-source.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import type { Meter } from '../model/meter.js';
import type { Config, LoadedConfig } from '../config/config.js';
import {
  credentialPerSpace,
  mintedCredential,
  oneCredential,
  type CredentialForm,
  type UpstreamCredential,
} from '../forward/forward.js';
import type { Profile } from '../resolve/resolve.js';
import type { Findings } from './findings.js';

/** The credential for the memory server, and the files that it comes from. */
export interface LiveCredential {
  readonly credential: UpstreamCredential;
  /** Files whose present content cannot be taken, so that an older secret is in force. */
  refusedFiles(): number;
  /** Stops looking at the files. */
  close(): void;
}

export interface CredentialContext {
  readonly loaded: LoadedConfig;
  readonly profile: Profile | null;
  readonly ports: { readonly clock: Clock; readonly meter: Meter; readonly log: Logger };
}

type Wanted = NonNullable<Config['upstream']['credential']>;

const field = 'upstream.credential';
/** HS256 wants a key as long as its digest. @see RFC 7518 §3.2 */
const mintSecretLengthMin = 32;

/** Reads every secret of `upstream.credential`, and goes on looking at those in files. Null where there is none, or where `found` was told what is wrong. */
export async function readCredential(context: CredentialContext, found: Findings): Promise<LiveCredential | null> {
  const wanted = context.loaded.config.upstream.credential;
  if (wanted === undefined) return null;
  const secrets = liveSecrets(context);
  const reader = new Reader(secrets, found);
  const form = credentialForm(wanted, context.profile);
  const credential = await made(wanted, form, { reader, clock: context.ports.clock });
  if (credential === null) return null;
  secrets.watch();
  return { credential, refusedFiles: () => secrets.refusedFiles, close: () => secrets.close() };
}

/** The configuration's word first, then that of the profile; a scheme belongs to its header. */
export function credentialForm(wanted: Wanted, profile: Profile | null): CredentialForm {
  const hint = profile?.data.upstream_credential;
  const scheme = hint?.header !== undefined && wanted.header === undefined ? (hint.scheme ?? '') : 'Bearer';
  return { header: wanted.header ?? hint?.header ?? 'Authorization', scheme: wanted.scheme ?? scheme };
}

function liveSecrets({ loaded, ports: { log, meter } }: CredentialContext): LiveSecrets {
  return new LiveSecrets(
    { env: environment, resolvePath: loaded.resolvePath },
    {
      replaced: (place) => {
        meter.upstreamCredentialRead('success');
        log.info('upstream.credential-replaced', { field: place });
      },
      refused: (place, why) => {
        meter.upstreamCredentialRead('failure');
        log.error('upstream.credential-refused', {
          field: place,
          problem: `${why}; the last good value stays in force`,
        });
      },
    },
  );
}

/** Reads secrets one by one, and tells of each that cannot be taken. */
class Reader {
  readonly #secrets: LiveSecrets;
  readonly #found: Findings;

  constructor(secrets: LiveSecrets, found: Findings) {
    this.#secrets = secrets;
    this.#found = found;
  }

  async read(place: string, source: SecretSource, minLength?: number): Promise<LiveSecret | null> {
    const wish = { place, source: { from_env: source.from_env, from_file: source.from_file } };
    const read = await this.#secrets.add(minLength === undefined ? wish : { ...wish, minLength });
    return this.#found.takeAt(place, read);
  }
}

interface Making {
  readonly reader: Reader;
  readonly clock: Clock;
}

async function made(wanted: Wanted, form: CredentialForm, making: Making): Promise<UpstreamCredential | null> {
  const { reader } = making;
  if (wanted.mint !== undefined) return minted(wanted.mint, form, making);
  const hasOne = wanted.from_env !== undefined || wanted.from_file !== undefined;
  const fallback = hasOne ? await reader.read(field, wanted) : null;
  if (hasOne && fallback === null) return null;
  if (wanted.by_space === undefined) return fallback === null ? null : oneCredential(form, fallback);
  const bySpace = new Map<string, LiveSecret>();
  for (const [space, source] of Object.entries(wanted.by_space)) {
    const secret = await reader.read(`${field}.by_space.${space}`, source);
    if (secret !== null) bySpace.set(space, secret);
  }
  return credentialPerSpace(form, { bySpace, fallback });
}

async function minted(
  mint: NonNullable<Wanted['mint']>,
  form: CredentialForm,
  { reader, clock }: Making,
): Promise<UpstreamCredential | null> {
  const secret = await reader.read(`${field}.mint.secret`, mint.secret, mintSecretLengthMin);
  if (secret === null) return null;
  const { ttl_ms: ttlMs, claims, jti: hasId, admin_subject: adminSubject = null } = mint;
  return mintedCredential(form, { secret, ttlMs, claims, hasId, adminSubject }, clock);
}
