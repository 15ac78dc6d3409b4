import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { checkDocument, readYamlFile, type Problem } from '../base/document.js';
import { diskFiles, type Files } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import { crossFaults } from './crosschecks.js';
import { fields } from './fields.js';
import { schema, type Config } from './schema.js';

export type { Config } from './schema.js';
export { fields, type Field } from './fields.js';

/** A configuration that has passed every check, and where it came from. */
export interface LoadedConfig {
  /** Frozen through and through. */
  readonly config: Config;
  /** Absolute path of the file. */
  readonly file: string;
  /** SHA-256 of the bytes of the file, in hexadecimal. */
  readonly digest: string;
  /** Absolute path of a relative path in the file: relative to the directory of the file. */
  resolvePath(relative: string): string;
}

/**
 * Reads and checks the configuration. All problems are told at once, each with its line and column; an unknown name
 * is a problem.
 *
 * @param file Path of the YAML file
 */
export async function loadConfig(
  file: string,
  files: Files = diskFiles,
): Promise<Result<LoadedConfig, readonly Problem[]>> {
  const read = await readYamlFile(file, { files });
  if (!read.ok) return read;
  const checked = checkDocument(schema, read.value);
  if (!checked.ok) return checked;
  const faults = crossFaults(checked.value).map(({ path, message }) => {
    return { file, ...read.value.at(path), path: path.map(String).join('.'), message };
  });
  if (faults.length > 0) return no(faults);
  const absolute = resolve(file);
  return ok({
    config: frozen(checked.value),
    file: absolute,
    digest: read.value.digest,
    resolvePath: (relative) => resolve(dirname(absolute), relative),
  });
}

/**
 * The data directory that a configuration names, whatever else is wrong with it.
 *
 * @returns its absolute path; null where not even that can be read
 */
export async function namedDataDir(file: string): Promise<string | null> {
  const read = await readYamlFile(file);
  if (!read.ok) return null;
  const part = checkDocument(z.looseObject({ data_dir: schema.shape.data_dir }), read.value);
  return part.ok ? resolve(dirname(resolve(file)), part.value.data_dir) : null;
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

/** Dotted paths of the fields that differ, without their values. */
export const changedFields = (before: Config, after: Config): readonly string[] =>
  differing(before, after).map(({ path }) => path);

/** Dotted paths of the fields that differ and take effect only after a restart. */
export const restartFields = (before: Config, after: Config): readonly string[] =>
  differing(before, after)
    .filter(({ restart }) => restart)
    .map(({ path }) => path);

const differing = (before: Config, after: Config): { path: string; restart: boolean }[] =>
  fields().filter(({ path, leaf }) => leaf && !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)));

function valueAt(config: Config, path: string): unknown {
  let value: unknown = config;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
  return value;
}

/** JSON Schema (2020-12) of the file, for editors. */
export function jsonSchema(): object {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema: part }) => {
      delete part['restart']; // ours, and no keyword of JSON Schema
    },
  });
  return { ...made, title: 'memgate configuration' };
}
