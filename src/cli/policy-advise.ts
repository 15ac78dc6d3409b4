import { Option, type Command } from 'commander';
import { openLocalKeys } from '../app/app.js';
import { systemClock } from '../base/clock.js';
import type { LoadedConfig } from '../config/config.js';
import {
  adviseKeys,
  manifestPatch,
  openPolicy,
  readManifestKeys,
  type Advice,
  type AdviceReport,
} from '../review/review.js';
import { valueOf, withKeys } from './place.js';
import { markdownTable } from './markdown.js';
import { configOf, logDirOf, sinceOf, whole, withLog, type LogOptions } from './policy-options.js';
import { CommandFailure, facts, jsonLine, processTerminal, table } from './print.js';

type AdviseFormat = 'table' | 'markdown' | 'json' | 'yaml';

interface AdviseCommand extends LogOptions {
  readonly since: string;
  readonly format: AdviseFormat;
}

/** `memgate policy advise` */
export function policyAdviseCommand(policy: Command): void {
  withLog(policy.command('advise'))
    .description(
      'Compare the rights of every key with what the audit log says that it used, and tell which it could do without. Changes nothing.',
    )
    .option('--since <when>', 'how far to look back: a duration such as 30d, or a time', '30d')
    .addOption(
      new Option(
        '--format <format>',
        'table for people, markdown for a pull request, json for programs, yaml for a manifest of the keys that would change',
      )
        .choices(['table', 'markdown', 'json', 'yaml'])
        .default('table'),
    )
    .action(async (options: AdviseCommand) => {
      const config = await configOf(options);
      const report = await advised(options, config);
      if (options.format === 'yaml') processTerminal.out(await patchText(config, report));
      else processTerminal.out(showAdvice(report, options.format));
    });
}

async function advised(options: AdviseCommand, config: LoadedConfig | null): Promise<AdviceReport> {
  const dir = await logDirOf(options);
  const policy = config === null ? null : whole(await openPolicy({ config, bundle: null, data: null }));
  const keys = await withKeys(options, openLocalKeys, async (desk) => valueOf(await desk.listKeys({})));
  const nowMs = systemClock.nowMs();
  const fromMs = sinceOf(options.since, nowMs);
  return adviseKeys({ dir, fromMs, nowMs, keys, rolePermissions: policy?.rolePermissions ?? null });
}

/** Only manifests have a file that can be changed; a key of the store is replaced by one with fewer rights. */
async function patchText(config: LoadedConfig | null, { keys }: AdviceReport): Promise<string> {
  if (config === null) throw new CommandFailure(2, '--format yaml needs --config FILE, which names the manifests');
  const spare = new Map(keys.filter(isSpare).map((advice) => [advice.id, advice]));
  const entries = whole(await readManifestKeys(config)).filter(({ id }) => spare.has(id));
  return manifestPatch(entries, [...spare.values()]);
}

const isSpare = ({ unused }: Advice): boolean =>
  unused.permissions.length + unused.roles.length + unused.spaces.length > 0;

const head = ['KEY', 'NAME', 'ALLOWED', 'DENIED', 'NEVER USED', 'KEEP', 'NOTES'];

const partText = ({ permissions, roles, spaces }: Advice['keep']): string | null =>
  [...permissions, ...roles.map((role) => `role ${role}`), ...spaces.map((space) => `space ${space}`)].join(', ') ||
  null;

const rowOf = ({ id, name, allowed, denied, unused, keep, notes }: Advice): readonly (string | number | null)[] => [
  id,
  name,
  allowed,
  denied,
  partText(unused),
  partText(keep),
  notes.join('; ') || null,
];

function showAdvice(report: AdviceReport, format: Exclude<AdviseFormat, 'yaml'>): string {
  if (format === 'json') return jsonLine(report);
  const seen: readonly (readonly [string, string | number | null])[] = [
    ['log from', report.from],
    ['to', report.to],
    ['days of log', report.days],
    ...(report.damaged === 0 ? [] : [['lines that are no intact records', report.damaged] as const]),
  ];
  const rows = report.keys.map(rowOf);
  return format === 'markdown'
    ? `${markdownTable(['', ''], seen)}\n${markdownTable(head, rows)}`
    : `${facts(seen)}\n${table(head, rows)}`;
}
