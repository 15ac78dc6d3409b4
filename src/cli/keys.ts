import { Option, type Command } from 'commander';
import type { JsonValue } from '../model/audit.js';
import { keyChanges, type KeyChange, type StatedKey } from '../manifests/manifests.js';
import { durationArgument } from './auth-options.js';
import { reportOption, type ReportFormat } from './format.js';
import { lintKeys, lintOptions, type LintCommandOptions } from './keys-lint.js';
import { makePlan, type PlanOptions } from './keys-plan.js';
import { counted, showLint, showPlan, showUnread } from './keys-show.js';
import { valueOf, type PlaceOptions } from './place.js';
import { jsonLine, processTerminal, type Terminal } from './print.js';
import { clientOrFail } from './process.js';

/** Apart from 0 done, 1 refused and 2 wrong usage, so that a slip of the pen is not taken for a change. */
const changedExit = 3;
const pathsText = 'directory of manifests, or files; default is keys.manifests of --config';

/** What the commands work with; tests bring their own. */
export interface KeysContext {
  readonly terminal: Pick<Terminal, 'out' | 'err'>;
  /** How the program is to end: the answer was given, and it is not a plain yes. */
  endWith(code: number): void;
}

const processContext: KeysContext = {
  terminal: processTerminal,
  endWith: (code) => {
    process.exitCode = code;
  },
};

interface Formatted {
  readonly format: ReportFormat;
}

/** `memgate keys plan|apply|lint` */
export function keysCommands(program: Command, context: KeysContext = processContext): void {
  const keys = program
    .command('keys')
    .description('Key manifests in Git: what a change would do, whether it is wise, and to take it over.');
  planCommand(keys, context);
  applyCommand(keys, context);
  lintCommand(keys, context);
}

const placed = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'data directory of the process; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file: names it, the manifests, roles and tiers')
    .addOption(reportOption());

function planCommand(keys: Command, { terminal, endWith }: KeysContext): void {
  placed(keys.command('plan'))
    .description(
      'Show how manifests differ from what the running process has in force, or from another revision: keys added, removed, revoked and changed, and which of them can do more than before. Changes nothing.',
    )
    .argument('[paths...]', pathsText)
    .addOption(new Option('--against <revision>', 'compare with a revision of the Git repository that they are in'))
    .addOption(
      new Option('--against-dir <dir>', 'compare with the manifests of another directory').conflicts('against'),
    )
    .option('--expiring <duration>', 'also list keys that end within this time', durationArgument, 30 * 86_400_000)
    .option('--detailed-exitcode', `end with ${String(changedExit)} where keys differ`)
    .action(async (paths: readonly string[], options: PlanOptions & Formatted & { detailedExitcode?: true }) => {
      const plan = await makePlan(paths, options);
      if (plan.ok) terminal.out(showPlan(plan.value, options.format));
      else if (options.format === 'table') terminal.err(showUnread(plan.why, 'table'));
      else terminal.out(showUnread(plan.why, options.format));
      if (!plan.ok) endWith(1);
      else if (options.detailedExitcode === true && plan.value.changes.length > 0) endWith(changedExit);
    });
}

function applyCommand(keys: Command, { terminal, endWith }: KeysContext): void {
  placed(keys.command('apply'))
    .description(
      'Make the running process take over its key manifests, and nothing else: refused where policy, profile or configuration have changed too.',
    )
    .action(async (options: PlaceOptions & Formatted) => {
      const client = await clientOrFail(options);
      const before = valueOf(await client.keys.inventory());
      const answer = await client.reload({ keysOnly: true });
      const isTaken = (answer as { readonly reloaded?: boolean }).reloaded === true;
      if (!isTaken) endWith(1);
      if (isTaken) {
        const after = valueOf(await client.keys.inventory());
        terminal.out(showApplied(answer, { before: before.keys, after: after.keys }, options.format));
      } else if (options.format === 'json') terminal.out(jsonLine(answer));
      else terminal.err(`nothing was changed\n${problemsOf(answer).join('\n')}\n`);
    });
}

function lintCommand(keys: Command, { terminal, endWith }: KeysContext): void {
  lintOptions(placed(keys.command('lint')))
    .description(
      'Look for what is unwise or wrong in manifests: no end, an end too far away, unused, too wide, a hash or a name twice. Ends with 1 where there is an error.',
    )
    .argument('[paths...]', pathsText)
    .action(async (paths: readonly string[], options: LintCommandOptions & Formatted) => {
      const report = await lintKeys(paths, options);
      terminal.out(showLint(report, options.format));
      if (report.errors > 0 || (options.strict === true && report.warnings > 0)) endWith(1);
    });
}

interface Applied {
  readonly before: string;
  readonly after: string;
  readonly keys: Readonly<Record<'added' | 'removed' | 'changed', readonly string[]>>;
  readonly refused_keys: readonly string[];
}

interface Sides {
  readonly before: readonly StatedKey[];
  readonly after: readonly StatedKey[];
}

/** The answer of our own process says which keys; what was and is to be said of them stands in its lists. */
function showApplied(answer: JsonValue, sides: Sides, format: ReportFormat): string {
  // The answer of the control socket is JSON; `difference` is what src/reload writes for a reload that was applied.
  const { before, after, keys, refused_keys: refused } = (answer as unknown as { difference: Applied }).difference;
  const ids = new Set([...keys.added, ...keys.removed, ...keys.changed]);
  const named = (all: readonly StatedKey[]): readonly StatedKey[] => all.filter(({ id }) => ids.has(id));
  const changes: readonly KeyChange[] = keyChanges(named(sides.before), named(sides.after));
  const notes = refused.map((problem) => `${problem}; it was left out`);
  if (format === 'json') return jsonLine({ applied: true, before, after, changes, notes, summary: counted(changes) });
  const labels = { before: `generation ${before}`, after: `generation ${after}` };
  return showPlan({ ...labels, changes, notes, expiring: [], expiring_within_days: 0 }, format);
}

const problemsOf = (answer: JsonValue): readonly string[] =>
  (answer as { readonly problems?: readonly string[] }).problems ?? [];
