import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../base/log.js';
import type { Files } from '../base/files.js';
import { replaceFile } from '../base/replace-file.js';
import { no, ok, type Result } from '../base/result.js';

/** What a generation was made of, but for its keys: those are never kept. */
export interface Content {
  /** The policy bundle. */
  readonly bundle: Buffer;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly dirs: ReadonlyMap<string, readonly string[]>;
}

const hash = z.string().regex(/^[0-9a-f]{32}$/);
const time = z.number().int().nonnegative();
const keptSchema = z.strictObject({
  id: hash,
  /** When it last came into force by a start or a reload, Unix time in ms. */
  atMs: time,
  revision: z.string(),
  /** Generations with these contents, the newest last: they differ in their keys alone. */
  generations: z.array(hash),
  sha256: z.string(),
});
const rollbackSchema = z.strictObject({ id: hash, to: hash, from: hash, atMs: time, actor: z.string() });
const indexSchema = z.strictObject({
  format: z.literal(1),
  rollback: rollbackSchema.nullable(),
  kept: z.array(keptSchema),
});

export type Kept = Readonly<z.output<typeof keptSchema>>;
/** That what is in force was gone back to, and holds until an operator reloads. */
export type Rollback = Readonly<z.output<typeof rollbackSchema>>;

const contentSchema = z.strictObject({
  bundle: z.base64(),
  files: z.record(z.string(), z.base64()),
  dirs: z.record(z.string(), z.array(z.string())),
});
const generationsMax = 16;

/** Good generations of the past, on disk in the data directory: a restart loses neither them nor that one of them is in force again. */
export interface Keeper {
  /** The newest first. */
  list(): readonly Kept[];
  rollback(): Rollback | null;
  /** Keeps what came into force now, and lets go of the oldest beyond `max`. */
  keep(
    facts: { readonly generation: string; readonly revision: string; readonly atMs: number },
    content: Content,
    max: number,
  ): Promise<void>;
  read(id: string): Promise<Result<Content, string>>;
  /** Notes that one is in force again, or that none is; durable when it returns. */
  mark(rollback: Rollback | null): Promise<void>;
}

/** @returns why not: an index that cannot be read would hide a rollback, and a start must not undo one unseen */
export async function openKeeper(dir: string): Promise<Result<Keeper, string>> {
  const file = join(dir, 'index.json');
  const text = await readFile(file, 'utf8').catch((thrown: unknown) =>
    thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT' ? null : no(messageOf(thrown)),
  );
  if (text === null) return ok(new DiskKeeper(dir, { format: 1, rollback: null, kept: [] }));
  const index = typeof text === 'string' ? indexOf(text) : text;
  if (index.ok) return ok(new DiskKeeper(dir, index.value));
  return no(
    `${file} ${index.why}: nobody can say whether a rollback is in force; move it away to start with the files as they are`,
  );
}

type Index = z.output<typeof indexSchema>;

function indexOf(text: string): Result<Index, string> {
  const parsed = parsedAs(indexSchema, text);
  return parsed === null ? no('is damaged') : ok(parsed);
}

function parsedAs<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    const checked = schema.safeParse(JSON.parse(text));
    return checked.success ? checked.data : null;
  } catch {
    return null;
  }
}

class DiskKeeper implements Keeper {
  readonly #dir: string;
  #index: Index;

  constructor(dir: string, index: Index) {
    this.#dir = dir;
    this.#index = index;
  }

  list(): readonly Kept[] {
    return [...this.#index.kept].sort((one, other) => other.atMs - one.atMs);
  }

  rollback(): Rollback | null {
    return this.#index.rollback;
  }

  async keep(
    { generation, revision, atMs }: { readonly generation: string; readonly revision: string; readonly atMs: number },
    content: Content,
    max: number,
  ): Promise<void> {
    const text = textOf(content);
    const sha256 = createHash('sha256').update(text).digest('hex');
    const id = sha256.slice(0, 32);
    const known = this.#index.kept.find((each) => each.id === id);
    if (known === undefined && max > 0) await writeDurably(this.#fileOf(id), text);
    const before = (known?.generations ?? []).filter((each) => each !== generation);
    const generations = [...before, generation].slice(-generationsMax);
    const others = this.list().filter((each) => each.id !== id);
    const kept = [{ id, atMs, revision, generations, sha256 }, ...others].slice(0, max);
    // What a rollback stands on stays, however old it is.
    const needed = this.#index.rollback?.id;
    for (const each of others) if (each.id === needed && !kept.includes(each)) kept.push(each);
    await this.#write({ ...this.#index, kept });
    await this.#prune();
  }

  async read(id: string): Promise<Result<Content, string>> {
    const kept = this.#index.kept.find((each) => each.id === id);
    const file = this.#fileOf(id);
    const text = await readFile(file, 'utf8').catch((thrown: unknown) => no(messageOf(thrown)));
    if (typeof text !== 'string') return no(`${file} cannot be read: ${text.why}`);
    const isWhole = createHash('sha256').update(text).digest('hex') === kept?.sha256;
    const parsed = isWhole ? parsedAs(contentSchema, text) : null;
    return parsed === null ? no(`${file} is damaged`) : ok(contentOf(parsed));
  }

  mark(rollback: Rollback | null): Promise<void> {
    return this.#write({ ...this.#index, rollback });
  }

  async #write(index: Index): Promise<void> {
    await writeDurably(join(this.#dir, 'index.json'), `${JSON.stringify(index)}\n`);
    this.#index = index;
  }

  async #prune(): Promise<void> {
    const wanted = new Set(['index.json', ...this.#index.kept.map(({ id }) => `${id}.json`)]);
    for (const name of await readdir(this.#dir))
      if (!wanted.has(name)) await rm(join(this.#dir, name), { force: true });
  }

  #fileOf(id: string): string {
    return join(this.#dir, `${id}.json`);
  }
}

const sorted = <T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] =>
  [...map].sort(([one], [other]) => (one < other ? -1 : 1));

/** One text for one content: it names what is kept. */
const textOf = ({ bundle, files, dirs }: Content): string =>
  JSON.stringify({
    bundle: bundle.toString('base64'),
    files: Object.fromEntries(sorted(files).map(([path, bytes]) => [path, bytes.toString('base64')])),
    dirs: Object.fromEntries(sorted(dirs)),
  });

function contentOf({ bundle, files, dirs }: z.output<typeof contentSchema>): Content {
  const bytes = Object.entries(files).map(([path, text]) => [path, Buffer.from(text, 'base64')] as const);
  return { bundle: Buffer.from(bundle, 'base64'), files: new Map(bytes), dirs: new Map(Object.entries(dirs)) };
}

/** Old files in front of the present ones; what was not kept is read as it is now. */
export const filesOver = ({ files, dirs }: Content, present: Files): Files => ({
  bytes: (file, maxBytes) => {
    const bytes = files.get(file);
    if (bytes === undefined) return present.bytes(file, maxBytes);
    return Promise.resolve(bytes.length > maxBytes ? no(`holds more than ${String(maxBytes)} bytes`) : ok(bytes));
  },
  names: (dir) => {
    const names = dirs.get(dir);
    return names === undefined ? present.names(dir) : Promise.resolve(ok(names));
  },
});

/** Whole under its name or not there at all, also after a loss of power; in a directory of our own. */
export async function writeDurably(file: string, bytes: string | Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await replaceFile(file, bytes, 0o600);
}
