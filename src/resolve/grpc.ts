import { no, ok, type Result } from '../base/result.js';
import { readStrings } from '../base/protobuf.js';
import { refuse, type Refusal } from '../model/codes.js';
import { Target } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { RouteFacts, SpaceSet } from '../model/target.js';
import type { Profile } from './compile.js';
import { compileMethods, type CompiledMethod } from './grpc-compile.js';
import { spacesOfCall } from './grpc-space.js';
import type { Head } from './head.js';

export interface CallContext {
  readonly profile: Profile;
  readonly isKnownSpace: (name: string) => boolean;
  readonly maxMessageBytes: number;
}

/** What the head of a call says. */
export interface CallHead extends Pick<Head, 'preview' | 'asksFirst' | 'routeNow'> {
  readonly streaming: CompiledMethod['data']['streaming'];
  /** As it is, unless a word in the message makes it something else. */
  readonly route: RouteFacts;
  /** Reads the message. */
  complete(): Promise<Result<Target, Refusal>>;
}

/**
 * Finds the method of a call. Each message is a request of its own with the same head; its body is the message with its prefix.
 *
 * @param first what was decided on for the first message of the call; null for that message itself
 */
export type ResolveCall = (request: CleanRequest, first: SpaceSet | null) => Result<CallHead, Refusal>;

const contentType = /^application\/grpc(?:\+proto)?$/i;
/** A flag, and the length in four bytes. @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const prefixBytes = 5;

export function createResolveCall(context: CallContext): ResolveCall {
  const methods = compileMethods(context.profile);
  return (request, first) => {
    const wrong = headProblem(request);
    if (wrong !== null) return no(wrong);
    const method = methods.get(request.path);
    if (method === undefined) return no(refuse('resolve.unknown-route', 'not a method of the profile'));
    return ok({
      preview: null, // without its message a call is nothing yet
      asksFirst: false,
      streaming: method.data.streaming,
      route: method.facts,
      routeNow: (then) => ruledNow(method, then),
      complete: async () => {
        const body = await request.body.collect(context.maxMessageBytes);
        return body.ok ? targetOf(context, { request, method, first, message: body.value }) : body;
      },
    });
  };
}

const isAscii = /^[\t\x20-\x7e]*$/;

function headProblem(request: CleanRequest): Refusal | null {
  if (request.method !== 'POST') return refuse('resolve.method', 'a call is POST', { allow: ['POST'] });
  if (request.query.length > 0) return refuse('resolve.query', 'a call has no query');
  if (!contentType.test(request.header('content-type') ?? ''))
    return refuse('resolve.content-type', 'not application/grpc');
  const encoding = request.header('grpc-encoding');
  if (encoding !== undefined && encoding !== 'identity')
    return refuse('resolve.content-type', 'compressed messages cannot be read');
  const timeout = request.header('grpc-timeout');
  if (timeout !== undefined && !/^\d{1,8}[HMSmun]$/.test(timeout))
    return refuse('gate.header', 'grpc-timeout has another form');
  const odd = request.headers.find(({ value }) => !isAscii.test(value));
  return odd === undefined ? null : refuse('gate.header', `a byte outside ASCII in ${odd.key}`);
}

interface Message {
  readonly request: CleanRequest;
  readonly method: CompiledMethod;
  readonly first: SpaceSet | null;
  /** With its prefix. */
  readonly message: Buffer;
}

function targetOf(
  { profile, isKnownSpace }: CallContext,
  { request, method, first, message }: Message,
): Result<Target, Refusal> {
  const texts = readStrings(message.subarray(prefixBytes), method.fields);
  if (!texts.ok) return no(refuse('resolve.body', texts.why));
  const wrong = contentProblem(method, texts.value);
  if (wrong !== null) return no(wrong);
  const spaces = spacesOfCall(profile, { request, method, texts: texts.value, first }, isKnownSpace);
  if (!spaces.ok) return spaces;
  return ok(
    Target.resolved(request, {
      route: ruled(method, texts.value),
      params: {},
      spaces: spaces.value,
      tool: null,
      answer: null,
      isLookedUp: false,
      rpc: null,
      forwardTarget: request.path,
      dropHeaders: profile.dropHeaders,
      setHeaders: [],
      body: message,
    }),
  );
}

/** What a message is asked for beside its space. */
function contentProblem({ data }: CompiledMethod, texts: ReadonlyMap<string, string>): Refusal | null {
  const refused = data.refuse_fields.find((path) => (texts.get(path) ?? '') !== '');
  if (refused !== undefined) return refuse('resolve.body', `field ${refused} must be empty`);
  const present = data.field_rules.filter(({ is_present: asks, field }) => asks === true && texts.has(field));
  return present.length > 1 ? refuse('resolve.body', 'two fields of which one may stand') : null;
}

/** What was in the message is gone; the rule that it met says the same action, and maybe another right by now. */
function ruledNow({ data, facts }: CompiledMethod, then: RouteFacts): RouteFacts {
  const rule = data.field_rules.find(({ action }) => action === then.action);
  if (then.action === facts.action || rule === undefined) return facts;
  return { ...facts, action: rule.action, permission: rule.permission };
}

/** A word in a string can make a call something else (a query language that also writes), and so can a message within it. */
function ruled({ data, facts }: CompiledMethod, texts: ReadonlyMap<string, string>): RouteFacts {
  for (const { field, matches_word: wanted, action, permission } of data.field_rules) {
    const words = new Set((texts.get(field) ?? '').toUpperCase().match(/[A-Z]+/g));
    const isMatch = wanted === undefined ? texts.has(field) : wanted.some((word) => words.has(word.toUpperCase()));
    if (isMatch) return { ...facts, action, permission };
  }
  return facts;
}
