import { isWide, viewCalls, viewRoutes, viewServer, viewTools, type ProfileContent } from '../profiles/profiles.js';
import type { Format } from './format.js';
import { facts, jsonLine, table } from './print.js';

export const showList = (profiles: readonly ProfileContent[], format: Format): string => {
  const rows = profiles.map(({ name, about, routes, upstream_credential: credential }) => ({
    name,
    server: about?.server ?? null,
    routes: routes.length,
    credential: credential?.kind ?? null,
  }));
  return format === 'json'
    ? jsonLine(rows)
    : table(
        ['NAME', 'SERVER', 'ROUTES', 'ITS CREDENTIAL'],
        rows.map(({ name, server, routes, credential }) => [name, server, routes, credential]),
      );
};

/** JSON is the whole profile as it was read; the table leaves the routes to `routes`. */
export function showProfile(profile: ProfileContent, format: Format): string {
  if (format === 'json') return jsonLine(profile);
  const denied = profile.denied.map(({ match, why }) => [match, why]);
  const about = facts(viewServer(profile));
  return denied.length === 0 ? about : `${about}\n${table(['DENIED', 'WHY'], denied)}`;
}

export function showRoutes(profile: ProfileContent, format: Format): string {
  const routes = [...viewRoutes(profile), ...viewTools(profile), ...viewCalls(profile)];
  if (format === 'json') return jsonLine(routes);
  return table(
    ['ID', 'MATCH', 'ACTION', 'PERMISSION', 'SPACE', 'NO CARRIER', 'NOTES'],
    routes.map((one) => [
      one.id,
      one.match,
      one.action,
      one.permission,
      one.space,
      one.absent,
      one.notes.join('; ') || null,
    ]),
  );
}

/** What a profile that loads lets through, in one line. */
export function showChecked({ name, routes }: ProfileContent, format: Format): string {
  const wide = routes.filter(isWide).length;
  if (format === 'json') return jsonLine({ ok: true, name, routes: routes.length, all_spaces: wide, problems: [] });
  if (routes.length === 0) return `profile ${name} is good: it has no route, so every request is denied\n`;
  const many = routes.length === 1 ? '1 route' : `${String(routes.length)} routes`;
  return `profile ${name} is good: ${many}, ${String(wide)} of them for keys of every space only\n`;
}
