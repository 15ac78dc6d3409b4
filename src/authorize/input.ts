import { jsonString as quoted } from '../base/encoding.js';
import { kept } from '../base/kept.js';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { CleanRequest } from '../model/request.js';
import type { Subject } from '../model/subject.js';
import type { RouteFacts } from '../model/target.js';
import type { HeadFacts } from '../model/trail.js';

/** What one question to the policy is made of. */
export interface Question {
  readonly subject: Subject;
  readonly request: CleanRequest;
  readonly facts: HeadFacts;
  /** Bytes of the body; null when not known. */
  readonly bytes: number | null;
  readonly nowMs: number;
  readonly readonly: boolean;
}

/** UTF-8 bytes of an input. More is refused, never cut. */
export const inputBytesMax = 16_384;

// Elements cost the engine up to 67 times their bytes, so that they are capped beside the bytes.
const caps = {
  roles: 64,
  permissions: 64,
  spaces: 512,
  ids: 256,
  params: 32,
  claims: 128,
  claimDepth: 8,
  text: 2_048,
} as const;

type SubjectText = (subject: Subject) => string | null;
type RouteText = (route: RouteFacts) => string;

/**
 * Makes the writer of inputs. Each is written once, by hand: the same JSON text is checked, evaluated and recorded.
 * Subjects and routes are immutable and live as long as their key and their profile, so that their parts are kept.
 */
export function createInputWriter(): (question: Question) => Result<string, Refusal> {
  const subjectText: SubjectText = kept(writeSubject);
  const routeText: RouteText = kept(writeRoute);
  return (question) => {
    const text = write(question, subjectText, routeText);
    if (text === null)
      return no(refuse('authorize.too-large', 'the policy input has too many elements or too long a text'));
    if (Buffer.byteLength(text) > inputBytesMax) {
      return no(refuse('authorize.too-large', `the policy input is over ${String(inputBytesMax)} bytes`));
    }
    // One lone surrogate aborts the engine: JSON.stringify writes such as \ud8xx, and whole pairs raw.
    if (text.includes('\\ud') && loneSurrogate.test(text)) {
      return no(refuse('authorize.too-large', 'the policy input holds text that is not well-formed Unicode'));
    }
    return ok(text);
  };
}

const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/;

const orNull = (text: string | null): string => (text === null ? 'null' : quoted(text));
const list = (texts: readonly string[]): string => (texts.length === 0 ? '[]' : `[${texts.map(quoted).join(',')}]`);
const seconds = (ms: number): string => String(Math.floor(ms / 1_000));

function write(question: Question, subjectText: SubjectText, routeText: RouteText): string | null {
  const { request, facts, nowMs, bytes } = question;
  const { route, spaces } = facts;
  const params = writeParams(facts.params);
  const subject = subjectText(question.subject);
  const isSmall =
    spaces.ids.length <= caps.ids &&
    spaces.unknown.length <= caps.ids &&
    areShort(spaces.ids) &&
    (facts.tool === null || facts.tool.length <= caps.text);
  if (params === null || subject === null || !isSmall) return null;
  const method = request.method === 'HEAD' ? 'GET' : request.method; // decided as GET, so that a rule on GET holds for it
  return (
    `{"now":${seconds(nowMs)},"switches":{"readonly":${String(question.readonly)}},` +
    `"request":{"id":${quoted(request.id)},"method":${quoted(method)},${routeText(route)},"params":${params},"tool":${orNull(facts.tool)},` +
    `"bytes":${bytes === null ? 'null' : String(bytes)},"headers":{}},` +
    `"spaces":{"all":${String(spaces.all)},"ids":${list(spaces.ids)},"unknown":${list(spaces.unknown)},"explicit":${String(spaces.explicit)}},` +
    `"subject":${subject},"client":{"address":${quoted(request.clientAddress)},"networks":[]}}`
  );
}

const writeRoute = ({ id, action, permission, class: dataClass }: RouteFacts): string =>
  `"route":${quoted(id)},"action":${quoted(action)},"permission":${quoted(permission)},"class":${quoted(dataClass)}`;

const areShort = (texts: readonly string[]): boolean => texts.every((text) => text.length <= caps.text);

function writeParams(params: Readonly<Record<string, string>>): string | null {
  let text = '';
  let count = 0;
  for (const name of Object.keys(params)) {
    const value = params[name] ?? '';
    if (name.length > caps.text || value.length > caps.text || ++count > caps.params) return null;
    text += `${count === 1 ? '' : ','}${quoted(name)}:${quoted(value)}`;
  }
  return `{${text}}`;
}

function writeSubject(subject: Subject): string | null {
  const { roles, permissions, spaces, expiresAtMs } = subject;
  const isSmall = roles.length <= caps.roles && permissions.length <= caps.permissions && spaces.length <= caps.spaces;
  const own = [subject.id, subject.owner ?? '', subject.tier ?? ''];
  if (!isSmall || ![roles, permissions, spaces, own].every(areShort)) return null;
  if (elements(subject.claims, caps.claimDepth) > caps.claims) return null;
  // Rounded up: the policy's second look must not end a credential before its time.
  const expiry = expiresAtMs === null ? 'null' : String(Math.ceil(expiresAtMs / 1_000));
  return (
    `{"kind":${quoted(subject.kind)},"id":${quoted(subject.id)},"owner":${orNull(subject.owner)},"roles":${list(roles)},` +
    `"permissions":${list(permissions)},"spaces":${list(spaces)},"tier":${orNull(subject.tier)},"expires_at":${expiry},` +
    `"deprecated":${String(subject.deprecated)},"claims":${JSON.stringify(subject.claims)}}`
  );
}

// Counts what a value holds; too deep or too long a text counts as too much.
function elements(value: unknown, depthLeft: number): number {
  if (typeof value === 'string') return value.length <= caps.text ? 1 : Infinity;
  if (typeof value !== 'object' || value === null) return 1;
  if (depthLeft === 0) return Infinity;
  let count = 1;
  for (const [key, item] of Object.entries(value)) {
    count += elements(item, depthLeft - 1) + (key.length <= caps.text ? 0 : Infinity);
    if (count > caps.claims) return Infinity;
  }
  return count;
}
