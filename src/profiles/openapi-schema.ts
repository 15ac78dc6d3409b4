export type Tree = Readonly<Record<string, unknown>>;

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What may stand in a field, as far as a carrier is concerned. */
export type Field = 'text' | 'list' | 'text or list' | 'other';

const hopsMax = 16;

/** The schemas of one operation. */
export class Schemas {
  readonly #root: Tree;
  #leadsAway = false;

  constructor(root: Tree) {
    this.#root = root;
  }

  /** True once a reference led out of the document, or nowhere. */
  get leadsAway(): boolean {
    return this.#leadsAway;
  }

  /** The object that a node is or refers to; empty when there is none. */
  resolved(node: unknown): Tree {
    let current = node;
    for (let hop = 0; isTree(current) && typeof current['$ref'] === 'string'; hop += 1) {
      current = hop < hopsMax ? pointed(this.#root, current['$ref']) : undefined;
      if (current === undefined) this.#leadsAway = true;
    }
    return isTree(current) ? current : {};
  }

  /** @param depth how many lists the schema stands in; a list of lists is no carrier */
  field(schema: unknown, depth = 0): Field {
    const kinds = new Set<string>();
    for (const form of depth > 1 ? [] : this.#forms(schema)) {
      for (const type of typesOf(form)) {
        const isList = type === 'array' && this.field(form['items'], depth + 1) === 'text';
        kinds.add(isList ? 'list' : type === 'array' ? 'other' : type);
      }
    }
    kinds.delete('null');
    const [kind, more] = [...kinds].sort();
    if (more === undefined) return kind === 'string' ? 'text' : kind === 'list' ? 'list' : 'other';
    return kinds.size === 2 && kind === 'list' && more === 'string' ? 'text or list' : 'other';
  }

  /** The named fields of an object, those of all its forms together; null when it is no object with names. */
  fields(schema: unknown): ReadonlyMap<string, Field> | null {
    const found = new Map<string, Field>();
    for (const { properties } of this.#forms(schema)) {
      for (const [name, inner] of Object.entries(isTree(properties) ? properties : {})) {
        found.set(name, this.field(inner));
      }
    }
    return found.size === 0 ? null : found;
  }

  /** A schema and, where it is one of several forms, all of them; each once, as references may go round. */
  #forms(schema: unknown, seen = new Set<Tree>()): Tree[] {
    const own = this.resolved(schema);
    if (seen.has(own)) return [];
    seen.add(own);
    const inner = ['anyOf', 'oneOf', 'allOf'].flatMap((name) =>
      Array.isArray(own[name]) ? (own[name] as unknown[]) : [],
    );
    return [own, ...inner.flatMap((one) => this.#forms(one, seen))];
  }
}

const typesOf = ({ type }: Tree): string[] =>
  typeof type === 'string' ? [type] : Array.isArray(type) ? type.filter((one) => typeof one === 'string') : [];

/** What a reference inside the document points at. */
function pointed(root: Tree, reference: string): unknown {
  if (!reference.startsWith('#/')) return undefined;
  let node: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    node = isTree(node) && Object.hasOwn(node, name) ? node[name] : undefined;
  }
  return node;
}
