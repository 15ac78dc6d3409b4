import { doors, rooms } from './rooms.mjs';

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const inside = (names) => names.map((name) => `^src/${name}/`);
const faces = (names) => names.map((name) => `^src/${name}/${name}[.]ts$`);
const escaped = (name) => name.replaceAll('.', '[.]');
// Files that nothing imports, since something else starts them.
const starts = '^src/(cli/cli|[a-z]+/[a-z-]*worker)[.]ts$';

export default {
  forbidden: [
    rule('no-cycle', 'A cycle hides who depends on whom.', { path: '^src/' }, { circular: true }),
    rule('no-orphan', 'Used by nobody: delete it.', { orphan: true, path: '^src/', pathNot: starts }, {}),
    rule('resolvable', 'Leads nowhere.', { path: '^src/' }, { couldNotResolve: true }),
    rule(
      'no-development-packages',
      'Production has no such package.',
      { path: '^src/' },
      { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    ),
    ...Object.entries(rooms)
      .filter(([, { uses }]) => uses !== '*')
      .map(([room, { does, uses, fills = [] }]) =>
        rule(
          `${room}-neighbours`,
          `${does} It may use: ${uses.join(', ') || 'nothing'}.`,
          { path: `^src/${room}/` },
          { path: '^src/', pathNot: [...inside([room, ...uses]), ...faces(fills)] },
        ),
      ),
    rule(
      'front-door',
      'Enter a room by the file that bears its name.',
      { path: '^src/([^/]+)/' },
      { path: '^src/', pathNot: ['^src/$1/', '^src/(?:base|model)/', '^src/([^/]+)/\\1[.]ts$'] },
    ),
    ...Object.entries(doors).map(([name, file]) =>
      rule(
        `door-${name.replace(/^@.*\//, '')}`,
        `${name} has one door.`,
        { path: '^src/', pathNot: file },
        { path: `node_modules/${escaped(name)}/` },
      ),
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
