/** Every right there is: the nine of the older clients first, then ours. */
export const permissions = [
  'MemoryRead',
  'MemoryWrite',
  'MemoryDelete',
  'SpaceCreate',
  'SpaceDelete',
  'SystemHealth',
  'SystemMetrics',
  'SystemShutdown',
  'AdminKeyManagement',
  'SpaceList',
  'AdminUpstream',
  'AdminConfig',
  'AdminPolicy',
  'AdminAudit',
  'AdminCredentials',
  'AdminIncident',
] as const;

export type Permission = (typeof permissions)[number];

/** What a route's data is: content is confidential, metadata internal, metrics public. */
export const dataClasses = ['content', 'metadata', 'metrics'] as const;

export type DataClass = (typeof dataClasses)[number];
