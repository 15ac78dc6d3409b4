/** Where a reason is given. */
export interface ReasonRule {
  /** In the bundle, which is also its path below the root of the sources. */
  readonly file: string;
  /** Such as `data.memgate.spaces.reasons`. */
  readonly rule: string;
  /** Of its METADATA; null where it has none. */
  readonly description: string | null;
  /** The rule as the bundle holds it. */
  readonly text: string;
}

const packageLine = /^package\s+([A-Za-z0-9_.]+)/;
const headLine = /^(?:default\s+)?([A-Za-z_][A-Za-z0-9_]*)/;
const descriptionLine = /^#\s*description:\s*(.*)$/;
const keyword = new Set(['package', 'import']);

interface Block {
  readonly name: string;
  readonly description: string | null;
  readonly lines: string[];
}

/** Rules of one file in the layout that `opa fmt` gives: a head at the margin, its body indented or closed by a bracket. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let description: string | null = null;
  for (const line of text.split('\n')) {
    const found = descriptionLine.exec(line);
    if (found !== null) description = found[1] ?? null;
    else if (/^[\s})\]]/.test(line) || line === '') blocks.at(-1)?.lines.push(line);
    else if (!line.startsWith('#')) {
      const name = headLine.exec(line)?.[1] ?? '';
      if (!keyword.has(name)) blocks.push({ name, description, lines: [line] });
      description = null;
    }
  }
  return blocks;
}

/** The description of a document stands at the first of its rules. */
function describedBlocks(text: string): Block[] {
  const blocks = blocksOf(text);
  const known = new Map<string, string>();
  for (const { name, description } of blocks)
    if (description !== null && !known.has(name)) known.set(name, description);
  return blocks.map((block) => ({ ...block, description: block.description ?? known.get(block.name) ?? null }));
}

const literal = /"([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+)"/g;

/** The rules of a policy by the reason that they name: whatever policy it is, its own text says why it gives a reason. */
export function reasonRules(rego: ReadonlyMap<string, string>): ReadonlyMap<string, readonly ReasonRule[]> {
  const found = new Map<string, ReasonRule[]>();
  for (const [file, text] of rego) {
    const name = packageLine.exec(text.split('\n').find((line) => line.startsWith('package')) ?? '')?.[1] ?? '';
    for (const block of describedBlocks(text)) {
      const shown = block.lines.join('\n').trimEnd();
      const rule = { file, rule: `data.${name}.${block.name}`, description: block.description, text: shown };
      for (const code of new Set([...shown.matchAll(literal)].map(([, each]) => each ?? '')))
        found.set(code, [...(found.get(code) ?? []), rule]);
    }
  }
  return found;
}
