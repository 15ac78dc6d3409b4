import type { AnswerOptions, Published } from '../gateway/gateway.js';
import { mcpHeaders, type Profile } from '../resolve/resolve.js';
import type { Sources } from './sources.js';

/** Where a protected resource is described. @see RFC 9728 §3.1 */
const wellKnown = '/.well-known/oauth-protected-resource';

const isEndpoint = ({ table }: Profile, path: string): boolean => {
  const found = table.find('POST', path);
  return found !== null && 'value' in found && found.value.mcp !== null;
};

const endpoints = ({ data }: Profile): readonly string[] =>
  data.routes
    .filter(({ protocol, match }) => protocol === 'mcp' && match.startsWith('POST '))
    .map(({ match }) => match.slice('POST '.length));

export function answerOptions({ loaded, profile }: Sources): AnswerOptions {
  const { headers } = loaded.config.limits;
  const resource = loaded.config.gateway.protected_resource;
  const fixed = new Set(endpoints(profile).filter(isFixed));
  const metadataUrl = (path: string): string | null => {
    if (resource === undefined) return null;
    const { origin, pathname } = new URL(resource.url);
    return `${origin}${wellKnown}${rooted(pathname)}${fixed.has(path) ? path : ''}`;
  };
  const rpc =
    endpoints(profile).length === 0 ? null : { speaks: (path: string) => isEndpoint(profile, path), metadataUrl };
  return { legacyLimitHeaders: headers.legacy, ietfLimitHeaders: headers.ietf, rpc };
}

/** A path that stands for many endpoints is described as the whole gateway is. */
const isFixed = (template: string): boolean => !template.includes('{');
const rooted = (pathname: string): string => (pathname === '/' ? '' : pathname);

/** What the gateway tells everybody: where a credential for it, or for one of its endpoints, is given out. Null where nothing is. */
export function publishedOf({ loaded, profile }: Sources): Published | null {
  const resource = loaded.config.gateway.protected_resource;
  if (resource === undefined) return null;
  const { pathname } = new URL(resource.url);
  const permissions = profile.data.routes.map(({ permission }) => permission);
  const described = (path: string): [string, Buffer] => {
    const text = JSON.stringify({
      resource: `${resource.url}${path}`,
      authorization_servers: resource.authorization_servers,
      scopes_supported: [...new Set([...permissions, ...toolPermissions(profile)])].sort(),
      bearer_methods_supported: ['header'],
    });
    return [`${wellKnown}${rooted(pathname)}${path}`, Buffer.from(text)];
  };
  return new Map([described(''), ...endpoints(profile).filter(isFixed).map(described)]);
}

const toolPermissions = ({ data }: Profile): readonly string[] =>
  Object.values(data.mcp?.tools ?? {}).flatMap(({ permission }) => (permission === undefined ? [] : [permission]));

/** Headers that stand for parts of a message: one line each, in one spelling. */
export const rpcHeaders = ({ profile }: Sources): readonly string[] =>
  endpoints(profile).length === 0 ? [] : mcpHeaders;
