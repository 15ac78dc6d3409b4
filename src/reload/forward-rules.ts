import { namedHeaders, type ForwardContext } from '../forward/forward.js';
import { trustHeaders } from '../gate/gate.js';
import type { CallRules } from './calls.js';
import type { Sources } from './sources.js';

/** Both ways on keep to the same rules. */
export function forwardRules(sources: Sources, { clock, leases }: Pick<ForwardContext, 'clock' | 'leases'>): CallRules {
  const { upstream: options, identity_headers: names } = sources.loaded.config;
  const { credential, profile } = sources;
  const credentials = new Set(['authorization', 'x-api-key', ...credentialHeader(sources)]);
  const ours = [...identityHeaders(sources), 'x-request-id'];
  const limitHeaders = [
    'x-ratelimit-limit',
    'x-ratelimit-remaining',
    'x-ratelimit-reset',
    'ratelimit',
    'ratelimit-policy',
  ];
  const profileTrust = profile.data.trust_headers.map((name) => name.toLowerCase());
  return {
    clock,
    leases,
    request: {
      identity: { requestId: names.request_id, subject: names.subject, keyId: names.key_id, spaces: names.spaces },
      profileHeaders: namedHeaders(profile.data.identity_headers),
      credential: credential?.credential ?? null,
      credentials,
      untrusted: new Set([...trustHeaders, ...profileTrust, ...ours]),
    },
    answer: {
      drop: new Set([...credentials, ...ours, ...limitHeaders]),
      upstreamAuthority: new URL(options.url).host.toLowerCase(),
      injectsCredential: credential !== null,
    },
    bodyTimeoutMs: options.body_timeout_ms,
    streamIdleTimeoutMs: options.stream_idle_timeout_ms,
    deadlineMs: options.deadline_ms,
  };
}

/** Lower-case names under which we tell the memory server who calls. */
export function identityHeaders({ loaded, profile }: Sources): readonly string[] {
  const { request_id: requestId, subject, key_id: keyId, spaces } = loaded.config.identity_headers;
  const ofConfig = [requestId, subject, keyId, spaces].filter((name) => name !== null);
  return [...ofConfig, ...Object.keys(profile.data.identity_headers)].map((name) => name.toLowerCase());
}

export const credentialHeader = ({ credential }: Sources): readonly string[] =>
  credential === null ? [] : [credential.credential.header.toLowerCase()];
