import { cell, code, generated, table } from './tables.mjs';

const argumentText = ({ required, variadic, name }) => {
  const text = `${name()}${variadic ? '...' : ''}`;
  return required ? `<${text}>` : `[${text}]`;
};

/** Each command with its path from the program, subcommands after their parent. */
function commandsOf(command, path) {
  const own = [...path, command.name()];
  return [{ command, path: own }, ...command.commands.flatMap((inner) => commandsOf(inner, own))];
}

function describe({ command, path }) {
  const isGroup = command.commands.length > 0;
  const args = command.registeredArguments.map((argument) =>
    argumentText({ ...argument, name: () => argument.name() }),
  );
  const usage = [
    ...path,
    ...args,
    ...(command.options.length > 0 ? ['[options]'] : []),
    ...(isGroup ? ['COMMAND'] : []),
  ].join(' ');
  const parts = [`## ${path.join(' ')}`, cell(command.description()), `\`\`\`text\n${usage}\n\`\`\``];
  const described = command.registeredArguments.filter(({ description }) => description !== '');
  if (described.length > 0)
    parts.push(
      table(
        ['argument', 'meaning'],
        described.map((argument) => [code(argument.name()), cell(argument.description)]),
      ),
    );
  if (command.options.length > 0) parts.push(table(['option', 'meaning', 'default'], command.options.map(optionRow)));
  return parts.join('\n\n');
}

const optionRow = ({ flags, description, defaultValue, argChoices, mandatory }) => [
  code(flags),
  cell(`${description}${argChoices ? ` One of ${argChoices.join(', ')}.` : ''}`),
  mandatory
    ? 'must be given'
    : defaultValue === undefined
      ? ''
      : code(typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue)),
];

export const commandLineDoc = (program) => `${generated('src/cli')}
# Command line

Answers go to standard output, messages to standard error. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

${commandsOf(program, []).map(describe).join('\n\n')}
`;
