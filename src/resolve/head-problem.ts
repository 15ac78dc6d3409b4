import { refuse, type Refusal } from '../model/codes.js';
import type { CleanRequest } from '../model/request.js';
import type { CompiledRoute, Profile } from './compile.js';

/** Whether the decision needs the body. */
export const readsBody = (route: CompiledRoute, { body }: CleanRequest): boolean =>
  route.data.body !== 'stream' && body.framing !== 'none' && body.length !== 0;

/** What can be refused before a byte of the body is read. */
export function headProblem(
  { profile, inspectMaxBytes }: { readonly profile: Profile; readonly inspectMaxBytes: number },
  route: CompiledRoute,
  request: CleanRequest,
): Refusal | null {
  for (const { name } of request.query) {
    if (profile.refusedQuery.has(name.toLowerCase())) return refuse('resolve.query', `query ${name.toLowerCase()}`);
  }
  if ((route.message !== null) !== (request.upgrade !== null))
    return refuse('gate.upgrade', 'a WebSocket on a route that is none, or none on a route that is one');
  if (!readsBody(route, request)) return null;
  const type = request.header('content-type');
  const wanted = route.form === null ? jsonType : formType;
  if (type === undefined || !wanted.test(type))
    return refuse(
      'resolve.content-type',
      `not ${route.form === null ? 'application/json' : 'a URL-encoded form'} in UTF-8`,
    );
  const encoding = request.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return refuse('resolve.content-type', 'a content encoding');
  if ((request.body.length ?? 0) > inspectMaxBytes)
    return refuse('gate.body-too-large', `over ${String(inspectMaxBytes)} bytes`);
  return null;
}

const jsonType = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;
const formType = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;
