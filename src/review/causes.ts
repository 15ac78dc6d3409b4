import type { PolicyData } from '../authorize/authorize.js';
import type { Asked } from './facts.js';

/** What a reason stands on: the facts of the request beside the entries of the policy data, and what would help. */
export interface Cause {
  readonly because: string;
  /** Entries of the policy data that were looked at, by path, as they are. */
  readonly entries: Readonly<Record<string, unknown>>;
  /** What the caller would need; any one of them. */
  readonly needs: readonly string[];
}

interface Ground {
  readonly asked: Asked;
  readonly data: PolicyData;
}

type Reader = (ground: Ground) => Cause;

const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));

/** Roles of the data that hold a permission. */
export const rolesWith = (data: PolicyData, permission: string): readonly string[] =>
  Object.entries(data.roles ?? {})
    .filter(([, role]) => Object.hasOwn(role.permissions, permission))
    .map(([name]) => name)
    .sort();

const permissionsOf = (data: PolicyData, role: string): readonly string[] =>
  Object.keys(data.roles?.[role]?.permissions ?? {}).sort();

function missingPermission({ asked, data }: Ground): Cause {
  const { subject, permission, tool, action } = asked;
  const held = subject.roles.map((role) => `${role} (${listed(permissionsOf(data, role))})`);
  const entries: Record<string, unknown> = {};
  for (const role of subject.roles) entries[`roles.${role}.permissions`] = data.roles?.[role]?.permissions ?? null;
  entries['defaults.permissions'] = data.defaults?.permissions ?? null;
  const name = permission ?? '';
  const limited = subject.roles.filter(
    (role) => permissionsOf(data, role).includes(name) && data.tools?.roles[role] !== undefined,
  );
  for (const role of limited) entries[`tools.roles.${role}`] = data.tools?.roles[role];
  const because =
    limited.length > 0
      ? `${listed(limited)} would hold ${name}, and its list of tools does not hold ${tool ?? action ?? 'the action'}`
      : `${name} is held neither by the caller (${listed(subject.permissions)}), nor by its roles (${listed(held)}), nor by everybody verified (${listed(Object.keys(data.defaults?.permissions ?? {}))})`;
  const needs = [
    ...limited.map((role) => `${tool ?? action ?? ''} in tools.roles.${role} of the policy data`),
    `the permission ${name} of its own`,
    ...rolesWith(data, name)
      .filter((role) => !subject.roles.includes(role))
      .map((role) => `the role ${role}`),
  ];
  return { because, entries, needs };
}

const foreignSpace: Reader = ({ asked }) => {
  const own = new Set(asked.subject.spaces);
  const foreign = asked.spaces.ids.filter((id) => !own.has(id));
  return {
    because: `the request reaches ${listed(foreign)}, and the spaces of the caller are ${listed(asked.subject.spaces)}`,
    entries: {},
    needs: [`${listed(foreign)} among its spaces`],
  };
};

const everySpace: Reader = ({ asked }) => ({
  because: `the request reaches every space, and the spaces of the caller are ${listed(asked.subject.spaces)}`,
  entries: {},
  needs: ['* as its spaces', 'a route that names one space'],
});

const unknownSpace: Reader = ({ asked }) => ({
  because: `${listed(asked.spaces.unknown)} is named by no policy data, by no key, and by no creation that the memory server has acknowledged`,
  entries: {},
  needs: [
    `${listed(asked.spaces.unknown)} in spaces.known of the policy data, or in the spaces of a key`,
    'a request that creates the space (space:create)',
  ],
});

const readonlySwitch: Reader = ({ asked, data }) => ({
  because: `the read-only switch is on, and ${asked.action ?? 'the action'} or ${asked.permission ?? 'its permission'} changes something`,
  entries: {
    [`changes.actions.${asked.action ?? ''}`]: data.changes?.actions[asked.action ?? ''] ?? null,
    [`changes.permissions.${asked.permission ?? ''}`]:
      (data.changes?.permissions as Readonly<Record<string, unknown>> | undefined)?.[asked.permission ?? ''] ?? null,
  },
  needs: ['switches.readonly: false in the configuration'],
});

const expired: Reader = ({ asked }) => {
  const end = asked.subject.expiresAt;
  return {
    because: `the credential ended at ${end === null ? 'an unknown time' : new Date(end * 1_000).toISOString()}`,
    entries: {},
    needs: ['a credential that is in its time'],
  };
};

const unknownTier: Reader = ({ asked, data }) => ({
  because: `the tier ${asked.subject.tier ?? `of keys without one (${data.defaults?.tier ?? 'none'})`} is not in the policy data`,
  entries: { 'defaults.tier': data.defaults?.tier ?? null, tiers: Object.keys(data.tiers ?? {}) },
  needs: Object.keys(data.tiers ?? {}).map((tier) => `the tier ${tier}`),
});

const toolList: Reader = ({ asked, data }) => {
  const id = asked.subject.id ?? '';
  const name = asked.tool ?? asked.action ?? '';
  return {
    because: `the caller has a list of tools, and ${name} is not on it`,
    entries: { [`tools.subjects.${id}`]: data.tools?.subjects[id] ?? null },
    needs: [`${name} in tools.subjects.${id} of the policy data`],
  };
};

const blockedTool: Reader = ({ asked, data }) => {
  const name = asked.tool ?? asked.action ?? '';
  return {
    because: `nobody may use ${name}`,
    entries: { [`tools.blocked.${name}`]: data.tools?.blocked[name] ?? null },
    needs: [],
  };
};

const toolArgument: Reader = ({ asked, data }) => {
  const name = asked.tool ?? '';
  return {
    because: `an argument of ${name} has none of the accepted values, or is missing`,
    entries: { [`tools.arguments.${name}`]: data.tools?.arguments[name] ?? null },
    needs: Object.entries(data.tools?.arguments[name] ?? {}).map(
      ([argument, values]) => `${argument} as one of ${listed(Object.keys(values))}`,
    ),
  };
};

/** Reasons of the shipped policy. A reason of another policy is explained by its own rule. */
const readers: Readonly<Record<string, Reader>> = {
  'permission.missing': missingPermission,
  'space.forbidden': foreignSpace,
  'space.all-required': everySpace,
  'space.unknown': unknownSpace,
  'switch.readonly': readonlySwitch,
  'subject.expired': expired,
  'subject.anonymous': () => ({ because: 'there is no verified caller', entries: {}, needs: ['a credential'] }),
  'tier.unknown': unknownTier,
  'tool.forbidden': toolList,
  'tool.blocked': blockedTool,
  'tool.argument': toolArgument,
};

/** What a reason stands on; null for one that only its policy knows, and where nothing was recorded to compare. */
export function causeOf(code: string, asked: Asked | null, data: PolicyData | null): Cause | null {
  const reader = Object.hasOwn(readers, code) ? readers[code] : undefined;
  return reader === undefined || asked === null || data === null ? null : reader({ asked, data });
}
