import type { Command } from 'commander';
import { openLocalKeys } from '../app/app.js';
import { systemClock } from '../base/clock.js';
import { controlClient, controlPath } from '../control/control.js';
import type { KeyView } from '../manage/manage.js';
import { readProfile } from '../profiles/profiles.js';
import {
  explainDecision,
  findRecorded,
  openPolicy,
  policyAtHand,
  traceDecision,
  whatIf,
  type Caller,
  type Explanation,
} from '../review/review.js';
import { listArgument } from './auth-options.js';
import { formatOption, type Format } from './format.js';
import { findPlace, valueOf, withKeys } from './place.js';
import { showExplanation, showTrace } from './policy-explain-show.js';
import { configOf, logDirOf, whole, withLog, type LogOptions, type PolicyFileOptions } from './policy-options.js';
import { CommandFailure, jsonLine, processTerminal } from './print.js';

interface ExplainCommand extends LogOptions, PolicyFileOptions {
  readonly id?: string;
  readonly key?: string;
  readonly route?: string;
  readonly space?: readonly string[];
  readonly tool?: string;
  readonly trace: boolean;
  readonly policies?: string;
  readonly format: Format;
}

/** `memgate policy explain` */
export function policyExplainCommand(policy: Command): void {
  withLog(policy.command('explain'))
    .description(
      'Say why a decision of the audit log is what it is: which rule, what is missing, which entry of the policy data counts, and what the caller would need. Or, with --key and --route, what would be decided.',
    )
    .option('--id <decision>', 'id of the decision: X-Request-Id of the answer')
    .option('--key <id>', 'what if this key …')
    .option('--route <route>', '… asked for this route of the profile …')
    .option('--space <names>', '… in these spaces; * for all. Default is the default space of the server', listArgument)
    .option('--tool <name>', '… with this tool of an MCP server')
    .option('--bundle <file>', 'policy to compare with; default is that of the running process, or of --config')
    .option('--data <dir>', 'data files that replace parts of its own')
    .option('--trace', 'show the rules that the second evaluator goes through', false)
    .option('--policies <dir>', 'policy sources for --trace; default is those that memgate brings')
    .addOption(formatOption())
    .action(async (options: ExplainCommand) => {
      if ((options.id === undefined) === (options.key === undefined))
        throw new CommandFailure(2, 'what is to be explained? Give --id DECISION, or --key ID with --route ROUTE');
      const explanation = options.id === undefined ? await supposed(options) : await recorded(options, options.id);
      const trace = options.trace ? await traced(options, explanation) : null;
      processTerminal.out(
        options.format === 'json'
          ? jsonLine(trace === null ? explanation : { ...explanation, trace })
          : showExplanation(explanation) + (trace === null ? '' : showTrace(trace)),
      );
    });
}

/** The running process knows the policy that is in force; files alone are asked where a log or a bundle is named. */
async function recorded(options: ExplainCommand, id: string): Promise<Explanation> {
  const place = options.log === undefined && options.bundle === undefined ? await findPlace(options) : null;
  const client = place === null ? null : await controlClient(controlPath(place.dataDir));
  if (client !== null) return valueOf(await client.explain(id));
  const dir = await logDirOf(options);
  const found = await findRecorded(dir, id);
  if (found === null) throw new CommandFailure(1, `no decision ${JSON.stringify(id)} is in the log ${dir}`);
  const policy = await policyOf(options);
  return explainDecision(found, policy === null ? null : policyAtHand(policy, null));
}

async function policyOf(options: ExplainCommand): Promise<Parameters<typeof policyAtHand>[0] | null> {
  const config = await configOf(options);
  const { bundle = null, data = null } = options;
  return config === null && bundle === null ? null : whole(await openPolicy({ config, bundle, data }));
}

async function supposed(options: ExplainCommand): Promise<Explanation> {
  const { key: id, route, space: spaces = [], tool = null } = options;
  const [config, policy] = [await configOf(options), await policyOf(options)];
  if (config === null || policy === null || route === undefined)
    throw new CommandFailure(2, '--key needs --route ROUTE and --config FILE, which names profile, policy and keys');
  const keys = await withKeys(options, openLocalKeys, async (desk) =>
    valueOf(await desk.listKeys({ includeExpired: true, includeRevoked: true })),
  );
  const key = keys.find((each) => each.id === id);
  if (key === undefined) throw new CommandFailure(1, `there is no key ${JSON.stringify(id)}`);
  const record = whatIf(policy, {
    profile: whole(await readProfile(config.config.profile, config.resolvePath)),
    route,
    caller: callerOf(key),
    spaces,
    tool,
    grantedSpaces: new Set(keys.flatMap((each) => each.spaces)),
    nowMs: systemClock.nowMs(),
    readonly: config.config.switches.readonly,
  });
  if (!record.ok) throw new CommandFailure(1, record.why);
  const explanation = explainDecision({ record: record.value, revision: policy.revision }, policyAtHand(policy, null));
  const notes =
    key.state === 'active' ? [] : [`the key is ${key.state}: its credential is refused before the policy is asked`];
  return { ...explanation, notes: [...explanation.notes, ...notes, 'nothing was sent and nothing was recorded'] };
}

/** A key as the policy sees it. */
export const callerOf = (key: KeyView): Caller => ({
  kind: 'api_key',
  id: key.id,
  owner: key.owner,
  roles: key.roles,
  permissions: key.permissions,
  spaces: key.spaces,
  tier: key.tier,
  expiresAtMs: key.expires_at === null ? null : Date.parse(key.expires_at),
  deprecated: key.rotation !== null,
});

async function traced(options: ExplainCommand, { input }: Explanation): ReturnType<typeof traceOf> {
  if (input === null)
    throw new CommandFailure(1, 'there is nothing to trace: the record does not hold what the policy was asked');
  const policy = await policyOf(options);
  return traceOf({ directory: options.policies ?? null, input: JSON.stringify(input), data: policy?.data ?? null });
}

async function traceOf(
  wish: Parameters<typeof traceDecision>[0],
): Promise<Extract<Awaited<ReturnType<typeof traceDecision>>, { ok: true }>['value']> {
  const trace = await traceDecision(wish);
  if (trace.ok) return trace.value;
  throw new CommandFailure(1, trace.why);
}
