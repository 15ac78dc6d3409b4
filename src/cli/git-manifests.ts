import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { environment } from '../base/env.js';
import { tooLong, type Files } from '../base/files.js';
import { no, ok } from '../base/result.js';
import { CommandFailure } from './print.js';

/** Manifests as a revision of Git has them. */
export interface Revision {
  /** The name that was given, and its commit. */
  readonly label: string;
  readonly paths: readonly string[];
  /** Has the files of these paths, and no other. */
  readonly files: Files;
  /** Named paths that are not there in it. */
  readonly absent: readonly string[];
}

const outputBytesMax = 64 * 1_048_576;
const gitMs = 60_000;
// Nothing of the caller's environment turns Git to another repository, makes it ask, or lets it fetch what is not there.
const gitEnvironment = (): Record<string, string> => ({
  PATH: environment('PATH') ?? '',
  HOME: environment('HOME') ?? '',
  XDG_CONFIG_HOME: environment('XDG_CONFIG_HOME') ?? '',
  LC_ALL: 'C',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
});

/** Runs Git without a shell. */
function git(dir: string, ...args: readonly string[]): Promise<Buffer> {
  const options = {
    cwd: dir,
    env: gitEnvironment(),
    encoding: 'buffer',
    maxBuffer: outputBytesMax,
    timeout: gitMs,
  } as const;
  return new Promise((resolve, reject) => {
    execFile('git', args, options, (fault, stdout, stderr) => {
      if (fault === null) resolve(stdout);
      else if (fault.code === 'ENOENT') reject(new CommandFailure(1, 'git is not installed, or the directory is gone'));
      else reject(new CommandFailure(1, `git ${args[0] ?? ''}: ${stderr.toString('utf8').trim() || fault.message}`));
    });
  });
}

const text = async (dir: string, ...args: readonly string[]): Promise<string> =>
  (await git(dir, ...args)).toString('utf8').trimEnd();

/** Reads the same directories and files from a revision of the repository that they are in. Neither the working tree nor the index is touched. */
export async function manifestsAt(revision: string, paths: readonly string[]): Promise<Revision> {
  const contents = new Map<string, Buffer>();
  const absent: string[] = [];
  const commits = new Set<string>();
  for (const path of paths) {
    const isDir = (await stat(path)).isDirectory();
    const dir = isDir ? path : dirname(path);
    const commit = await commitOf(dir, revision);
    commits.add(commit.slice(0, 12));
    const found = (await entriesOf(dir, commit)).filter(({ name }) => isDir || name === basename(path));
    if (found.length === 0) absent.push(path);
    for (const entry of found) contents.set(`${revision}:${entry.path}`, await read(dir, revision, entry));
  }
  return {
    label: `${revision} (${[...commits].join(', ')})`,
    paths: [...contents.keys()],
    files: filesOf(contents),
    absent,
  };
}

const filesOf = (contents: ReadonlyMap<string, Buffer>): Files => ({
  bytes: (file, maxBytes) => {
    const bytes = contents.get(file);
    if (bytes === undefined) return Promise.resolve(no('does not exist'));
    return Promise.resolve(bytes.length > maxBytes ? no(tooLong(maxBytes)) : ok(bytes));
  },
  names: () => Promise.resolve(ok([])),
});

async function commitOf(dir: string, revision: string): Promise<string> {
  await git(dir, 'rev-parse', '--git-dir').catch((thrown: unknown) => {
    if (thrown instanceof CommandFailure && /not a git repository/.test(thrown.message))
      throw new CommandFailure(1, `${dir} is in no Git repository: --against needs one`);
    throw thrown;
  });
  const name = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
  const commit = await text(dir, ...name).catch(() => '');
  if (commit === '')
    throw new CommandFailure(1, `--against: ${JSON.stringify(revision)} is no revision of that repository`);
  return commit;
}

interface TreeEntry {
  readonly mode: string;
  readonly object: string;
  readonly path: string;
  readonly name: string;
}

const entryForm = /^(\d{6}) blob ([0-9a-f]{40,64})\t(.*)$/s;

/** The manifests that stand directly in a directory of a commit. */
async function entriesOf(dir: string, commit: string): Promise<readonly TreeEntry[]> {
  const prefix = await text(dir, 'rev-parse', '--show-prefix');
  const listing = await git(dir, 'ls-tree', '-z', '--full-tree', commit, ...(prefix === '' ? [] : ['--', prefix]));
  return listing
    .toString('utf8')
    .split('\0')
    .flatMap((line) => {
      const [, mode = '', object = '', path = ''] = entryForm.exec(line) ?? [];
      const name = basename(path);
      return name.endsWith('.yaml') && !name.startsWith('.') ? [{ mode, object, path, name }] : [];
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function read(dir: string, revision: string, { mode, object, path }: TreeEntry): Promise<Buffer> {
  if (mode === '120000') throw new CommandFailure(1, `${revision}:${path} is a symbolic link: it cannot be compared`);
  return git(dir, 'cat-file', 'blob', object);
}
