import { setTimeout as after } from 'node:timers/promises';
import { call, memgate, metric, type Answer } from './client.js';
import type { Place, Program } from './program.js';

/** What an operator is told of a reload or a rollback. */
export interface Told {
  readonly reloaded: boolean;
  readonly generation: string;
  readonly dry_run?: boolean;
  readonly problems?: readonly string[];
  readonly difference?: Readonly<Record<string, unknown>>;
}

export const told = (body: string): Told => JSON.parse(body) as Told;

export interface Status {
  readonly generation: {
    readonly hash: string;
    readonly policy_revision: string;
    readonly rolled_back: Readonly<Record<string, string>> | null;
  };
  readonly source: Readonly<Record<string, unknown>>;
  readonly last_reload_failure: {
    readonly problems: readonly string[];
    readonly needs_restart: readonly string[];
  } | null;
  readonly kept_generations: readonly { readonly hash: string }[];
}

/** What `memgate status` says. */
export async function statusOf(place: Place): Promise<Status> {
  const { stdout, stderr } = await memgate('status', '--data-dir', place.dataDir, '--format', 'json');
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Status;
}

/** The generation in force, as an operator sees it. */
export const inForce = async (place: Place): Promise<string> => (await statusOf(place)).generation.hash;

export async function until(is: () => Promise<boolean>, msMax = 20_000): Promise<boolean> {
  const endMs = performance.now() + msMax;
  while (performance.now() < endMs) {
    if (await is()) return true;
    await after(25);
  }
  return false;
}

export const gauge = async ({ probes }: Program, name: string): Promise<number | undefined> =>
  (await metric(probes, name)).get('{}');

/** Asks the operators' listener. */
export const operate = (program: Program, place: Place, path: string): Promise<Answer> =>
  call(new URL(path, program.admin), { method: 'POST', key: place.keys.admin });
