import { Option, type Command } from 'commander';
import { openLocalKeys } from '../app/app.js';
import { systemClock } from '../base/clock.js';
import { nameProblems, newManifestKey, type KeyWish, type RotateWish } from '../manage/manage.js';
import { addToManifest } from '../manifests/manifests.js';
import { durationArgument, everywhere, listArgument, oneMore } from './auth-options.js';
import type { Format } from './format.js';
import { namesOrFail } from './keys-source.js';
import { findPlace, valueOf, withKeys, type OpenLocal, type PlaceOptions } from './place.js';
import { showChecked, showIssued, showKeys, showManifestKey, showRevoked, showRotated } from './auth-show.js';
import { CommandFailure, confirm, processTerminal, type Terminal } from './print.js';

/** What the commands work with; tests bring their own. */
export interface AuthContext {
  readonly terminal: Terminal;
  readonly openLocal: OpenLocal;
}

interface Common extends PlaceOptions {
  readonly format: Format;
}

interface CreateOptions extends Common {
  readonly name: string;
  readonly owner?: string;
  readonly spaces: readonly string[];
  readonly permissions: readonly string[];
  readonly role: readonly string[];
  readonly tier?: string;
  readonly expiresIn?: number;
  readonly manifest?: string;
}

const defaultGraceMs = 7 * 86_400_000;
/** A key has some 80 characters. */
const inputBytesMax = 4_096;

/** Adds `auth` and its commands. They throw CommandFailure with the exit code; the caller prints its message. */
export function authCommands(
  program: Command,
  context: AuthContext = { terminal: processTerminal, openLocal: openLocalKeys },
): void {
  const auth = program.command('auth').description('make, list, rotate, revoke and check API keys');
  createCommand(auth, context);
  listCommand(auth, context);
  rotateCommand(auth, context);
  revokeCommand(auth, context);
  checkCommand(auth, context);
}

const wishOf = (options: CreateOptions): KeyWish => ({
  name: options.name,
  owner: options.owner,
  spaces: options.spaces,
  permissions: options.permissions,
  roles: options.role,
  tier: options.tier,
  expiresInMs: options.expiresIn,
});

function createCommand(auth: Command, { terminal, openLocal }: AuthContext): void {
  everywhere(auth.command('create-key'))
    .description('make a key; the whole key is printed this once')
    .requiredOption('--name <name>', 'what the key is for')
    .requiredOption('--spaces <names>', 'spaces it may use, with commas between them, or * for all', listArgument)
    .option('--permissions <names>', 'permissions, with commas between them', listArgument, [])
    .option('--role <name>', 'role of the policy; may be given more than once', oneMore, [])
    .option('--tier <name>', 'tier of the policy')
    .option('--expires-in <duration>', 'how long it works, such as 30d; default is without end', durationArgument)
    .option('--owner <name>', 'who answers for it')
    .option(
      '--manifest <file>',
      'keep nothing in the store: write the entry with its hash into this manifest, a new one or one that is there',
    )
    .action(async (options: CreateOptions) => {
      if (options.manifest !== undefined)
        terminal.out(showManifestKey(await manifestKey(options, options.manifest), options.format));
      else
        terminal.out(
          showIssued(
            valueOf(
              await withKeys({ ...options, mayBegin: true }, openLocal, (keys) => keys.createKey(wishOf(options))),
            ),
            options.format,
          ),
        );
    });
}

/** The entry is in the file before the key is shown: what nobody has seen need not be revoked. */
async function manifestKey(options: CreateOptions, file: string): Promise<Parameters<typeof showManifestKey>[0]> {
  const config = options.config === undefined ? null : (await findPlace(options)).config;
  const wish = wishOf(options);
  const strange = config === null ? [] : nameProblems(wish, await namesOrFail(config));
  if (strange.length > 0) throw new CommandFailure(1, strange.join('\n'));
  const made = valueOf(await newManifestKey(wish, config?.config.keys.prefixes[0] ?? 'engram_key', systemClock));
  const added = await addToManifest(file, made.entry);
  if (!added.ok) throw new CommandFailure(1, added.why);
  return { id: made.id, key: made.key, manifest: file };
}

function listCommand(auth: Command, { terminal, openLocal }: AuthContext): void {
  everywhere(auth.command('list-keys'))
    .description('show the keys of store and manifests, never their secrets')
    .option('--include-expired', 'also those that have expired or were replaced')
    .option('--include-revoked', 'also those that were revoked')
    .action(async (options: Common & { includeExpired?: true; includeRevoked?: true }) => {
      const filter = {
        includeExpired: options.includeExpired === true,
        includeRevoked: options.includeRevoked === true,
      };
      terminal.out(
        showKeys(valueOf(await withKeys(options, openLocal, (keys) => keys.listKeys(filter))), options.format),
      );
    });
}

function rotateCommand(auth: Command, { terminal, openLocal }: AuthContext): void {
  everywhere(auth.command('rotate-key'))
    .description(
      'make a successor with the same rights; the old key goes on working for a while, and its uses are counted',
    )
    .argument('<id>', 'id of the key')
    .addOption(
      new Option('--grace-period <duration>', 'how long the old key goes on working; default is 7d')
        .argParser(durationArgument)
        .conflicts('force'),
    )
    .option('--force', 'the old key ends at once')
    .action(async (id: string, options: Common & { gracePeriod?: number; force?: true }) => {
      const wish: RotateWish =
        options.force === true ? { force: true } : { graceMs: options.gracePeriod ?? defaultGraceMs };
      terminal.out(
        showRotated(valueOf(await withKeys(options, openLocal, (keys) => keys.rotateKey(id, wish))), options.format),
      );
    });
}

function revokeCommand(auth: Command, { terminal, openLocal }: AuthContext): void {
  everywhere(auth.command('revoke-key'))
    .description('end a key for good; it is in force in the running process when the command returns')
    .argument('<id>', 'id of the key')
    .option('--reason <text>', 'why, for the record', '')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: Common & { reason: string; yes?: true }) => {
      if (options.yes !== true && !terminal.isInteractive)
        throw new CommandFailure(2, 'there is no terminal to ask on: give --yes to revoke the key');
      if (options.yes !== true && !(await confirm(terminal, `Revoke key ${id} for good?`)))
        throw new CommandFailure(1, 'nothing was done');
      terminal.out(
        showRevoked(
          valueOf(await withKeys(options, openLocal, (keys) => keys.revokeKey(id, options.reason))),
          options.format,
        ),
      );
    });
}

function checkCommand(auth: Command, { terminal, openLocal }: AuthContext): void {
  everywhere(auth.command('check-key'))
    .description('show one key and how it is used')
    .argument('<id>', 'id of the key, or - to read a whole key from standard input')
    .option('--detailed', 'also how often it was used, in sum and per day')
    .action(async (given: string, options: Common & { detailed?: true }) => {
      const key = given === '-' ? (await terminal.readInput(inputBytesMax)).trim() : given;
      // An id has 16 characters; other users of the machine can read what stands in a command line.
      if (given.length > 40)
        terminal.err(
          'memgate: a whole key was given as an argument, where other users and the shell history can see it: pipe it in and give - instead\n',
        );
      const checked = valueOf(await withKeys(options, openLocal, (keys) => keys.checkKey(key)));
      terminal.out(showChecked(checked, options.format, options.detailed === true));
      if (checked.secret_matches === false)
        throw new CommandFailure(1, `key ${checked.id} exists, but this is not its secret`);
    });
}
