import type { ProfileData } from '../resolve/resolve.js';
import { absentText, spaceText, type RouteView } from './view.js';

type CallData = ProfileData['grpc'][number];

/** The gRPC methods of a profile, in words. */
export function viewCalls(data: ProfileData): readonly RouteView[] {
  return data.grpc.map((call) => ({
    id: call.id,
    match: `gRPC ${call.method}`,
    action: call.action,
    permission: call.permission,
    class: call.class,
    space: Array.isArray(call.space) ? call.space.map((path) => `field ${path}`).join(', ') : spaceText(call.space),
    absent: Array.isArray(call.space) ? absence(call, data) : null,
    notes: notesOf(call),
  }));
}

function absence({ absent }: CallData, data: ProfileData): string {
  return absent === 'call'
    ? 'that of the first message, which must name one'
    : absentText(absent ?? data.space.absent, data);
}

function notesOf({ streaming, field_rules: rules, refuse_fields: refused }: CallData): string[] {
  const notes = rules.map(({ field, matches_word: words, action, permission }) =>
    words === undefined
      ? `field ${field} makes it ${action} (${permission})`
      : `${words.join(' or ')} in field ${field} makes it ${action} (${permission})`,
  );
  if (streaming !== 'unary') notes.push(`streaming: ${streaming}`);
  if (refused.length > 0) notes.push(`never with ${refused.map((field) => `field ${field}`).join(', ')}`);
  return notes;
}
