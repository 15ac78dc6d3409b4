import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Texts } from './texts.js';

/** A directory of our own with the sources in it, for a program that reads files. */
export interface Scratch {
  /** The root of the bundle. */
  readonly bundle: string;
  readonly capabilities: string;
  /** Where a built bundle is written. */
  readonly target: string;
  readonly read: (path: string) => Promise<string>;
  /** Writes a file beside the bundle. @returns its path */
  readonly write: (name: string, text: string) => Promise<string>;
}

/** Writes the sources, lets somebody use them and removes them. */
export async function withScratch<T>(
  texts: Texts,
  capabilities: string,
  use: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'memgate-rego-')); // mode 0700
  try {
    const bundle = join(root, 'bundle');
    await mkdir(bundle);
    for (const directory of new Set([...texts.keys()].map((path) => dirname(join(bundle, path)))))
      await mkdir(directory, { recursive: true });
    await Promise.all([...texts].map(([path, text]) => writeFile(join(bundle, path), text)));
    const file = join(root, 'capabilities.json');
    await writeFile(file, withoutNetwork(capabilities));
    const write = async (name: string, text: string): Promise<string> => {
      await writeFile(join(root, name), text);
      return join(root, name);
    };
    const read = (path: string): Promise<string> => readFile(join(bundle, path), 'utf8');
    return await use({ bundle, capabilities: file, target: join(root, 'bundle.tar.gz'), read, write });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

// A schema in a comment may name a host, and the compiler asks it unless it is told of no host that it may ask.
function withoutNetwork(capabilities: string): string {
  try {
    return JSON.stringify({ ...(JSON.parse(capabilities) as object), allow_net: [] });
  } catch {
    return capabilities; // the compiler says what is wrong with it
  }
}
