import type { McpRule } from './mcp-schema.js';
import type { RouteData } from './profile-schema.js';

/** What a rule does not say is as the route of the endpoint has it. */
export const routeOf = (base: RouteData, rule: McpRule): RouteData => ({
  ...base,
  permission: rule.permission ?? base.permission,
  class: rule.class ?? base.class,
  space: rule.space ?? base.space,
  empty: rule.empty ?? base.empty,
  ...(rule.absent !== undefined && { absent: rule.absent }),
  ...(rule.stream !== undefined && { stream: rule.stream }),
});
