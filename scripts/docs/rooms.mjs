import { cell, code, generated, table } from './tables.mjs';

export function roomsDoc({ rooms, doors }) {
  const rows = Object.entries(rooms).map(([name, { does, uses, fills = [] }]) => [
    code(`src/${name}/`),
    cell(does),
    uses === '*' ? 'all' : uses.join(', ') || 'nothing',
    fills.join(', '),
  ]);
  const packages = Object.entries(doors).map(([name, file]) => [
    code(name),
    code(
      file
        .replace(/^\^src\//, '')
        .replaceAll('[.]', '.')
        .replace(/\$$/, '')
        .replaceAll('|', ' or '),
    ),
  ]);
  return `${generated('rooms.mjs')}
# The rooms of src/

A request walks one straight line; each step consumes the proof that the step before it made.

\`\`\`mermaid
flowchart LR
  client --> gate -->|CleanRequest| identify -->|Identity| resolve -->|Target| authorize
  authorize -->|Permit| limit -->|Admission| record -->|Receipt| forward --> upstream
\`\`\`

A room is entered from other rooms by the file that bears its name (\`identify/identify.ts\`); \`base\` and \`model\` are open.
Steps never use each other. \`npm test -- layers\` holds all of this.

${table(['room', 'what it does', 'may use', 'fills the ports of'], rows)}

## Packages and their doors

Each of these packages is used in one place only, so that it can be watched and replaced.

${table(['package', 'only in src/'], packages)}
`;
}
