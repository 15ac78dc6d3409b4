import { compileProfile, profileSchema, type Profile } from '../resolve/resolve.js';

/** The operators' routes, in the same form as a memory server's: the same stages read, decide and record them. */
export const adminProfile: Profile = compileProfile(
  profileSchema.parse({
    name: 'memgate-admin',
    space: { pattern: '^[a-z0-9_-]{1,64}$', absent: 'refuse', unknown: 'free', carriers: [] },
    routes: [
      {
        id: 'admin.health',
        match: 'GET /health/detailed',
        action: 'config:read',
        permission: 'AdminConfig',
        class: 'metadata',
        space: 'NONE',
      },
      {
        id: 'admin.explain',
        match: 'GET /api/v1/decisions/{id}/explain',
        action: 'audit:read',
        permission: 'AdminAudit',
        class: 'metadata',
        space: 'NONE',
      },
      {
        id: 'admin.candidate',
        match: 'GET /api/v1/policy/candidate',
        action: 'policy:read',
        permission: 'AdminPolicy',
        class: 'metadata',
        space: 'NONE',
      },
      {
        id: 'admin.promote',
        match: 'POST /api/v1/policy/candidate/promote',
        action: 'policy:promote',
        permission: 'AdminPolicy',
        class: 'metadata',
        space: 'NONE',
      },
      {
        id: 'admin.drop',
        match: 'DELETE /api/v1/policy/candidate',
        action: 'policy:drop',
        permission: 'AdminPolicy',
        class: 'metadata',
        space: 'NONE',
      },
      {
        id: 'admin.reload',
        match: 'POST /-/reload',
        action: 'config:reload',
        permission: 'AdminConfig',
        class: 'metadata',
        space: 'NONE',
      },
      {
        id: 'admin.rollback',
        match: 'POST /-/rollback',
        action: 'config:rollback',
        permission: 'AdminConfig',
        class: 'metadata',
        space: 'NONE',
      },
    ],
  }),
);

const yesOrNo = /^(?:true|false)$/;
/** What a query may say, by route. A misspelt `dry_run` must not be left unheard. */
export const adminQueries: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  'admin.reload': { dry_run: yesOrNo, allow_rollback: yesOrNo },
  'admin.promote': { revision: /^[\x21-\x7e]{1,128}$/ },
  'admin.rollback': { dry_run: yesOrNo, to: /^[0-9a-f]{6,32}$/ },
};

/** Bytes; no route of ours takes more. */
export const adminBodyBytesMax = 65_536;
