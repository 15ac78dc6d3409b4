import { capped, isPlainJson } from '../base/encoding.js';
import type { AuditEvent, JsonValue } from '../model/audit.js';
import { recordBytesMax, sealBytes } from './chain.js';

/** A body may be this long, so that the sealed line keeps to `recordBytesMax`. */
export const bodyBytesMax = recordBytesMax - sealBytes;

/** Texts that are inserted verbatim (the policy's input and decision) may be this long each. */
export const verbatimBytesMax = 4_096;

const ascii = /^[ -~]*$/;

/** A JSON string of at most `max` characters, with everything that could forge a line or steer a terminal made visible. */
export const quoted = (text: string, max: number): string =>
  text.length <= max && isPlainJson(text) ? `"${text}"` : JSON.stringify(capped(text, max));

export const quotedOrNull = (text: string | null, max: number): string => (text === null ? 'null' : quoted(text, max));

/** A member holding a list of strings; what is over `count` is left out and told in `NAME_more`. */
export function listMember(name: string, items: readonly string[], caps: { count: number; length: number }): string {
  let text = `"${name}":[`;
  const shown = Math.min(items.length, caps.count);
  for (let i = 0; i < shown; i += 1) text += (i === 0 ? '' : ',') + quoted(items[i] ?? '', caps.length);
  return items.length > shown ? `${text}],"${name}_more":${String(items.length - shown)}` : `${text}]`;
}

const unsafeInJson =
  /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * A member whose value is JSON text already, byte for byte, but for characters that could steer a terminal:
 * those become JSON escapes of the same character. Too long, or not on one line: `null`, and `NAME_omitted` says why.
 */
export function verbatimMember(name: string, json: string | null): string {
  if (json === null) return `"${name}":null`;
  const safe = ascii.test(json) ? json : json.replace(unsafeInJson, escape);
  if (/[\u0000-\u001f]/.test(safe)) return `"${name}":null,"${name}_omitted":"not-one-line"`;
  const isTooLong = safe.length > verbatimBytesMax || Buffer.byteLength(safe) > verbatimBytesMax;
  return isTooLong ? `"${name}":null,"${name}_omitted":"too-long"` : `"${name}":${safe}`;
}

interface Caps {
  readonly characters: number;
  readonly items: number;
  readonly members: number;
}

const generous: Caps = { characters: 512, items: 200, members: 64 };
const tight: Caps = { characters: 64, items: 12, members: 24 };
const depthMax = 4;

function valueText(value: JsonValue, caps: Caps, depth: number): string {
  if (typeof value === 'string') return quoted(value, caps.characters);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth >= depthMax) return '"…"';
  if (isList(value)) {
    const shown = value.slice(0, caps.items).map((item) => valueText(item, caps, depth + 1));
    if (value.length > caps.items) shown.push(`"… ${String(value.length - caps.items)} more"`);
    return `[${shown.join(',')}]`;
  }
  return `{${membersText(value, caps, depth + 1)}}`;
}

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);

function membersText(fields: Readonly<Record<string, JsonValue>>, caps: Caps, depth: number): string {
  const names = Object.keys(fields);
  const shown = names
    .slice(0, caps.members)
    .map((name) => `${quoted(name, 64)}:${valueText(fields[name] ?? null, caps, depth)}`);
  if (names.length > caps.members) shown.push(`"members_more":${String(names.length - caps.members)}`);
  return shown.join(',');
}

// Names that the chain and the rendering own: a field of that name must not stand twice in a record.
const owned: ReadonlySet<string> = new Set(['seq', 'time', 'prev', 'type', 'severity', 'hash']);

function eventMembers(event: AuditEvent, caps: Caps): string {
  const fields = Object.fromEntries(
    Object.entries(event.fields).map(([name, value]) => [owned.has(name) ? `field_${name}` : name, value]),
  );
  const members = membersText(fields, caps, 0);
  const verbatim = Object.entries(event.verbatim ?? {}).map(([name, json]) => verbatimMember(name, json));
  return [members, ...verbatim].filter((member) => member !== '').join(',');
}

const fits = (body: string): boolean =>
  body.length <= bodyBytesMax && (body.length * 3 <= bodyBytesMax || Buffer.byteLength(body) <= bodyBytesMax);

/** The body of a record: from `"type"` to the last field, within `bodyBytesMax` whatever the event holds. */
export function eventBody(event: AuditEvent): string {
  const head = `"type":${quoted(event.type, 64)},"severity":"${event.severity}"`;
  if (event.text !== undefined) {
    const body = `${head},${event.text}`;
    if (fits(body)) return body;
  }
  const tries = [
    (): string => eventMembers(event, generous),
    (): string => eventMembers({ ...event, verbatim: {} }, generous),
    (): string => eventMembers({ ...event, verbatim: {} }, tight),
  ];
  for (const render of tries) {
    const members = render();
    const body = members === '' ? head : `${head},${members}`;
    if (fits(body)) return body;
  }
  return `${head},"fields_omitted":true`;
}
