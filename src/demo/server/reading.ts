import { readJsonBody, type Fields } from './json-body.js';
import { findRoute, type Route } from './routes.js';
import { spaceNamed } from './space-name.js';
import { formPairs, pathText, splitTarget, type FormPair } from './urls.js';

/** A request as it came over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values alternating. */
  readonly rawHeaders: readonly string[];
  /** The whole body; empty where there is none. */
  readonly body: Buffer;
}

/** What the server made of a request. */
export interface Understood {
  readonly ok: true;
  readonly route: Route;
  /** Name of the space that is used; `*` for all of them; null where none is touched. */
  readonly space: string | null;
  readonly id: string | null;
  readonly query: readonly FormPair[];
  readonly fields: Fields;
}

export interface Misunderstood {
  readonly ok: false;
  readonly status: 400 | 404 | 405 | 413 | 415 | 422;
  readonly message: string;
  readonly allow?: readonly string[];
  /** Answered with an error object rather than with plain text. */
  readonly code?: string;
}

/** The space where nothing names one. */
export const defaultSpace = 'default';

const nothing: Fields = new Map<string, unknown>();
const text = (status: Misunderstood['status'], message: string): Misunderstood => ({ ok: false, status, message });

/**
 * Reads a request as the real server does, route by route: which space it obeys, and what it overlooks.
 * It is made apart from the gateway's own reading and shares nothing with it, so that each can be held against the other.
 */
export function readRequest(request: WireRequest): Understood | Misunderstood {
  const { path, query } = splitTarget(request.target);
  const found = findRoute(request.method, path);
  if (!('route' in found)) return found.length === 0 ? text(404, '') : { ...text(405, ''), allow: found };
  const { route } = found;
  const pairs = formPairs(query);
  const twice = route.query?.find((name) => pairs.filter((pair) => pair.name === name).length > 1);
  if (twice !== undefined) return text(400, `duplicate field \`${twice}\``);
  const id = found.id === null ? null : pathText(found.id);
  if (found.id !== null && id === null) return text(400, 'the path is not UTF-8');
  const body = route.json && readJsonBody(route.json, firstHeader(request, 'content-type'), request.body);
  if (body?.ok === false) return text(body.status, body.message);
  const fields = body?.fields ?? nothing;
  const space = spaceOf(route, request, { pairs, fields });
  if (space === undefined) return { ...text(400, 'not the name of a space'), code: 'INVALID_MEMORY_SPACE' };
  return { ok: true, route, space, id, query: pairs, fields };
}

/** The first header of that name: later ones are overlooked. */
function firstHeader({ rawHeaders }: WireRequest, name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) return rawHeaders[index + 1] ?? '';
  }
  return undefined;
}

/** The last pair of that name; on routes that take it, there is only one. */
export const queryValue = (pairs: readonly FormPair[], name: string): string | undefined =>
  pairs.findLast((pair) => pair.name === name)?.value;

/** Undefined where a text that should name the space does not. */
function spaceOf(
  route: Route,
  request: WireRequest,
  rest: { pairs: readonly FormPair[]; fields: Fields },
): string | null | undefined {
  const header = firstHeader(request, 'x-memory-space');
  const query = queryValue(rest.pairs, 'space');
  const body = rest.fields.get('memory_space_id') as string | undefined;
  switch (route.space) {
    case 'header-query':
      return header === undefined ? named(query) : headerNamed(header);
    case 'header-body':
      return header === undefined ? named(body) : headerNamed(header);
    case 'body-header':
      return body === undefined ? headerNamed(header) : named(body);
    case 'header':
      return headerNamed(header);
    case 'new-space':
      return named(rest.fields.get('id') as string);
    case 'echo':
      return query ?? null;
    case 'one-or-all':
      return query === undefined ? '*' : named(query);
    case 'all':
      return '*';
    case 'default':
      return defaultSpace;
    case 'none':
      return null;
  }
}

const named = (value: string | undefined): string | undefined =>
  value === undefined ? defaultSpace : (spaceNamed(value) ?? undefined);

/** A header must be visible ASCII before it is looked at. */
const headerNamed = (value: string | undefined): string | undefined =>
  value !== undefined && !/^[\t\x20-\x7e]*$/.test(value) ? undefined : named(value);
