import { Option, type Command } from 'commander';
import { openLocalKeys } from '../app/app.js';
import { systemClock } from '../base/clock.js';
import type { LoadedConfig } from '../config/config.js';
import { readProfile } from '../profiles/profiles.js';
import {
  matrixOf,
  openPolicy,
  permissionActions,
  roleCallers,
  routeActions,
  type MatrixAction,
  type MatrixCaller,
} from '../review/review.js';
import { listArgument } from './auth-options.js';
import { valueOf, withKeys, type PlaceOptions } from './place.js';
import { callerOf } from './policy-explain.js';
import { showMatrix, type MatrixFormat } from './policy-matrix-show.js';
import { configOf, whole, type PolicyFileOptions } from './policy-options.js';
import { CommandFailure, processTerminal } from './print.js';

interface MatrixCommand extends PolicyFileOptions, PlaceOptions {
  readonly roles: boolean;
  readonly keys: boolean;
  readonly routes: boolean;
  readonly profile?: string;
  readonly spaces?: readonly string[];
  readonly format: MatrixFormat;
}

/** `memgate policy matrix` */
export function policyMatrixCommand(policy: Command): void {
  policy
    .command('matrix')
    .description('Print who may do what in which space: every cell is asked of the policy itself, none is worked out.')
    .option('--roles', 'a column for each role (the default), and one for nobody in particular', false)
    .option(
      '--keys',
      'a column for each key that can be used now, of the running process or of manifests and store',
      false,
    )
    .option('--routes', 'a row for each route of the profile instead of each permission', false)
    .option('--profile <name>', 'name or file of the profile; default is that of --config')
    .option('--spaces <names>', 'spaces to ask about; * for all', listArgument)
    .option('--config <file>', 'configuration file that names policy, data, profile and keys')
    .option('--data-dir <dir>', 'data directory of the keys; default is that of --config')
    .option('--bundle <file>', 'policy; default is that of --config')
    .option('--data <dir>', 'data files that replace parts of its own')
    .addOption(
      new Option('--format <format>', 'table for people, markdown and html for pages, json for programs')
        .choices(['table', 'markdown', 'html', 'json'])
        .default('table'),
    )
    .action(async (options: MatrixCommand) => {
      if (options.roles && options.keys) throw new CommandFailure(2, 'give --roles or --keys, not both');
      processTerminal.out(await matrixText(options));
    });
}

async function matrixText(options: MatrixCommand): Promise<string> {
  const config = await configOf(options);
  const { bundle = null, data = null } = options;
  if (config === null && bundle === null)
    throw new CommandFailure(2, 'which policy? Give --config FILE or --bundle FILE');
  const policy = whole(await openPolicy({ config, bundle, data }));
  const callers = options.keys ? await keyCallers(options) : roleCallers(policy.roleNames);
  const spaces = options.spaces ?? (options.keys ? spacesOf(callers) : ['(its own)']);
  const matrix = matrixOf(policy, {
    callers,
    actions: options.routes ? await routesOf(options, config) : permissionActions(),
    spaces,
    nowMs: systemClock.nowMs(),
    readonly: config?.config.switches.readonly ?? false,
  });
  return showMatrix(matrix, options.format);
}

async function routesOf({ profile }: MatrixCommand, config: LoadedConfig | null): Promise<readonly MatrixAction[]> {
  const name = profile ?? config?.config.profile;
  if (name === undefined) throw new CommandFailure(2, '--routes needs --profile NAME or --config FILE');
  const isOwn = profile !== undefined || config === null;
  return routeActions(whole(await (isOwn ? readProfile(name) : readProfile(name, config.resolvePath))));
}

async function keyCallers(options: MatrixCommand): Promise<readonly MatrixCaller[]> {
  const keys = await withKeys(options, openLocalKeys, async (desk) => valueOf(await desk.listKeys({})));
  return keys
    .filter(({ state }) => state === 'active' || state === 'deprecated')
    .map((key) => ({ name: `${key.name} ${key.id}`, spaces: 'own', caller: callerOf(key) }));
}

/** Every space that a key names, and all of them together. */
const spacesOf = (callers: readonly MatrixCaller[]): readonly string[] => [
  ...[...new Set(callers.flatMap(({ caller }) => caller.spaces))].filter((space) => space !== '*').sort(),
  '*',
];
