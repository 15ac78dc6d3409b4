// Every relative link of the documents leads to a file that is there, and every anchor to a heading.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromMarkdown } from 'mdast-util-from-markdown';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'policies', 'deploy', 'config'].flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true })
          .filter((name) => name.endsWith('.md'))
          .map((name) => join(folder, name))
      : [],
  ),
].map((name) => join(root, name));

const nodes = (node) => [node, ...(node.children ?? []).flatMap(nodes)];
const text = (node) => node.value ?? (node.children ?? []).map(text).join('');
const trees = new Map(pages.map((page) => [page, nodes(fromMarkdown(readFileSync(page, 'utf8')))]));

/** Anchors of a page, in the way that hosts of repositories make them. */
function anchorsOf(page) {
  const seen = new Map();
  return new Set(
    (trees.get(page) ?? [])
      .filter(({ type }) => type === 'heading')
      .map((heading) => {
        const plain = text(heading)
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .trim()
          .replace(/\s/g, '-');
        const count = seen.get(plain) ?? 0;
        seen.set(plain, count + 1);
        return count === 0 ? plain : `${plain}-${count}`;
      }),
  );
}

for (const [page, tree] of trees) {
  for (const { type, url, position } of tree) {
    if (!['link', 'image', 'definition'].includes(type) || /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(url)) continue;
    const [path, anchor] = url.split('#');
    const target = path === '' ? page : resolve(dirname(page), decodeURIComponent(path));
    const tell = (what) => {
      process.stderr.write(`${relative(root, page)}:${position.start.line}: the link to ${url} ${what}\n`);
      process.exitCode = 1;
    };
    if (!existsSync(target)) tell('leads to nothing');
    else if (anchor && statSync(target).isFile() && !anchorsOf(target).has(anchor)) tell('names no heading');
  }
}
