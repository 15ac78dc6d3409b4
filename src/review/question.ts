import type { DataClass, Permission } from '../model/permissions.js';
import type { Subject } from '../model/subject.js';

/** A question to the policy that no request asks. */
export interface Question {
  readonly nowMs: number;
  readonly readonly: boolean;
  readonly route: {
    readonly id: string;
    readonly method: string;
    readonly action: string;
    readonly permission: string;
    readonly class: DataClass;
  };
  readonly tool?: string | null;
  readonly spaces: { readonly all: boolean; readonly ids: readonly string[]; readonly unknown: readonly string[] };
  readonly subject: Caller;
}

/** Who would ask. */
export interface Caller extends Omit<Subject, 'kind' | 'deprecated' | 'claims'> {
  readonly kind: 'api_key' | 'static_token';
  readonly deprecated?: boolean;
}

const seconds = (ms: number): number => Math.floor(ms / 1_000);

/** The input that the gateway would write for it: every key is there, as docs/reference/policy.md has it. */
export function inputText({ nowMs, readonly, route, tool = null, spaces, subject }: Question): string {
  const { kind, id, owner, roles, permissions, spaces: own, tier, expiresAtMs, deprecated = false } = subject;
  const { method, action, permission, class: dataClass } = route;
  return JSON.stringify({
    now: seconds(nowMs),
    switches: { readonly },
    request: {
      id: 'question',
      method,
      route: route.id,
      action,
      permission,
      class: dataClass,
      params: {},
      tool,
      bytes: null,
      headers: {},
    },
    spaces: { all: spaces.all, ids: spaces.ids, unknown: spaces.unknown, explicit: true },
    subject: {
      kind,
      id,
      owner,
      roles,
      permissions,
      spaces: own,
      tier,
      expires_at: expiresAtMs === null ? null : Math.ceil(expiresAtMs / 1_000),
      deprecated,
      claims: {},
    },
    client: { address: '127.0.0.1', networks: [] },
  });
}

/** One usual action of each permission, for a table without a profile. */
export const usualRoutes: Readonly<Record<Permission, { readonly action: string; readonly class: DataClass }>> = {
  MemoryRead: { action: 'memory:read', class: 'content' },
  MemoryWrite: { action: 'memory:write', class: 'content' },
  MemoryDelete: { action: 'memory:delete', class: 'content' },
  SpaceCreate: { action: 'space:create', class: 'metadata' },
  SpaceDelete: { action: 'space:delete', class: 'metadata' },
  SystemHealth: { action: 'system:health', class: 'metadata' },
  SystemMetrics: { action: 'system:metrics', class: 'metrics' },
  SystemShutdown: { action: 'system:shutdown', class: 'metadata' },
  AdminKeyManagement: { action: 'keys:write', class: 'metadata' },
  SpaceList: { action: 'space:list', class: 'metadata' },
  AdminUpstream: { action: 'admin:upstream', class: 'metadata' },
  AdminConfig: { action: 'config:reload', class: 'metadata' },
  AdminPolicy: { action: 'policy:write', class: 'metadata' },
  AdminAudit: { action: 'audit:read', class: 'metadata' },
  AdminCredentials: { action: 'credentials:write', class: 'metadata' },
  AdminIncident: { action: 'incident:write', class: 'metadata' },
};
