import { cell, code, generated, table } from './tables.mjs';

const ways = {
  run: 'run behind memgate',
  demo: 'a stand-in run behind memgate',
  read: 'read',
};

/** Names in a row, each as code; a dash for none. */
const codes = (names) => names.map(code).join(', ') || '–';

const words = { ALL: 'every space', UNSCOPED: 'an object without a space', NONE: 'no space' };

/** Where the space of a route comes from. */
function spaceCell({ space, absent, notes }) {
  if (space === 'UNSCOPED' && notes.some((note) => note.includes('asked first'))) return 'that of the object';
  if (words[space]) return words[space];
  if (space.startsWith('always ')) return `always ${code(space.slice('always '.length))}`;
  const none = absent === 'refuse' || absent === null ? '' : `; without one: ${cell(absent)}`;
  return `${codes(space.split(', '))}${none}`;
}

const routeHead = ['request', 'action', 'permission', 'the space', 'particular'];

const routeRow = (route) => [
  code(route.match),
  code(route.action),
  route.permission,
  spaceCell(route),
  cell(route.notes.join('; ')),
];

const section = (title, text) => (text === '' ? '' : `## ${title}\n\n${text}\n\n`);

/** One page: everything that a profile lets through, and what it denies on purpose. */
export function profileDoc(data, { viewCalls, viewRoutes, viewServer, viewTools, isWide }) {
  const facts = viewServer(data).filter(([name, value]) => value !== null && name !== 'profile' && name !== 'server');
  const denied = data.denied.map(({ match, why }) => [code(match), cell(why)]);
  const calls = viewCalls(data);
  const wide = [
    ...data.routes.filter(isWide).map(({ match }) => match),
    ...data.grpc.filter(isWide).map(({ method }) => `gRPC ${method}`),
  ];
  const tools = viewTools(data);
  return `${generated(`config/profiles/${data.name}.yaml`)}
# Profile ${data.name}

For ${cell(data.about?.server ?? data.name)}. In a configuration: \`profile: ${data.name}\`. The file itself, \`config/profiles/${data.name}.yaml\`, says why each of its
lines is as it is; [Write a profile](../../howto/write-a-profile.md) says what they mean.

${table(
  ['', ''],
  facts.map(([name, value]) => [cell(name), cell(value)]),
)}

## Routes

Everything else is denied: 404 for a path that is not here, 405 for a method.

${table(routeHead, viewRoutes(data).map(routeRow))}

${section(
  'gRPC calls',
  calls.length === 0
    ? ''
    : `Through the listener of the section \`grpc\` of the configuration. A field is one of the request message, by number. Every other method is denied.\n\n${table(routeHead, calls.map(routeRow))}`,
)}${section(
    'Tools',
    tools.length === 0
      ? ''
      : `Every other tool is refused, and not shown in a list.\n\n${table(['message', ...routeHead.slice(1)], tools.map(routeRow))}`,
  )}${section(
    'Routes for keys of every space only',
    wide.length === 0 ? '' : `These reach further than one space, or nobody can say how far: ${codes(wide)}.`,
  )}${section('Denied on purpose', denied.length === 0 ? '' : table(['request', 'why'], denied))}`.replace(
    /\n+$/,
    '\n',
  );
}

/** All profiles in one table, and what was run of each. */
export function profilesDoc(all, runs) {
  const rows = all.map(({ name, about, routes, upstream_credential: credential }) => [
    `[${name}](profiles/${name}.md)`,
    cell(about?.server ?? ''),
    cell(about?.summary ?? ''),
    String(routes.length),
    credential?.kind ?? '–',
  ]);
  const record = runs.map(({ profile, how, version, what, test }) => [
    `[${profile}](profiles/${profile}.md)`,
    ways[how],
    cell(version),
    cell(what),
    test === undefined ? '–' : code(test),
  ]);
  return `${generated('config/profiles and docs/reference/profile-runs.json')}
# Profiles of memory servers

A profile is the table of a memory server's routes: what each does, which right it needs, and where its space stands. A configuration names one
that memgate brings (\`profile: mem0\`) or a file of your own (\`profile: ./mine.yaml\`). \`memgate profile list\`, \`show\`, \`routes\` and \`check\` say the
same as these pages; [Write a profile](../howto/write-a-profile.md) makes one.

${table(['profile', 'server', 'a space', 'routes', 'its credential'], rows)}

Credentials: none, one for all (static), one for each space (per_space), or a token made for each request (minted).

## What was run, and what was only read

A profile is as good as what is known of its server. "Read" means its source, or the server by itself: nobody has yet seen it work behind memgate.

${table(['profile', 'how', 'version', 'what', 'test'], record)}
`;
}

/** What is wrong with the record: each profile stands in it once. */
export function runsProblem(all, runs) {
  const names = all.map(({ name }) => name).sort();
  const told = runs.map(({ profile }) => profile).sort();
  if (names.join() !== told.join())
    return `docs/reference/profile-runs.json must name each profile once: ${names.join(', ')}`;
  const odd = runs.find(({ how }) => ways[how] === undefined);
  return odd === undefined
    ? null
    : `docs/reference/profile-runs.json: how of ${odd.profile} must be one of ${Object.keys(ways).join(', ')}`;
}
