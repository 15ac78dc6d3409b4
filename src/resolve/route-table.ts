interface Node<T> {
  readonly fixed: Map<string, Node<T>>;
  parameter: Node<T> | null;
  rest: Leaf<T> | null;
  leaf: Leaf<T> | null;
}

interface Entry<T> {
  /** Of the parameters, from left to right; each method may name them its own way. */
  readonly names: readonly string[];
  readonly value: T;
}

type Leaf<T> = Map<string, Entry<T>>;

export interface RouteMatch<T> {
  readonly value: T;
  /** Raw segments by name. */
  readonly params: Readonly<Record<string, string>>;
}

interface Way {
  readonly segments: readonly string[];
  readonly values: string[];
}

/** Bytes of one path parameter. */
const parameterMax = 1_024;
const segmentForm = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]+|\{\*?[a-z][a-z0-9_]*\})$/;

/** What is wrong with a path template, or null. */
export function templateProblem(template: string): string | null {
  const segments = template.slice(1).split('/');
  const names = segments.filter((segment) => segment.startsWith('{'));
  if (new Set(names).size !== names.length) return 'a parameter name occurs twice';
  for (const [index, segment] of segments.entries()) {
    const trailing = segment === '' && index === segments.length - 1;
    if (!trailing && !segmentForm.test(segment)) return `"${segment}" is not a path segment, {name} or {*name}`;
    if (segment.startsWith('{*') && index !== segments.length - 1) return '{*name} may stand at the end only';
  }
  return null;
}

/** Exact segment templates, never patterns: a fixed segment wins over a parameter, a parameter over the rest. */
export class RouteTable<T> {
  readonly #root: Node<T> = newNode();

  add(method: string, template: string, value: T): void {
    let node = this.#root;
    const names: string[] = [];
    for (const segment of template.slice(1).split('/')) {
      if (segment.startsWith('{*')) {
        node.rest ??= new Map();
        node.rest.set(method, { names: [...names, segment.slice(2, -1)], value });
        return;
      }
      if (segment.startsWith('{')) {
        names.push(segment.slice(1, -1));
        node = node.parameter ??= newNode();
      } else {
        node = childOf(node, segment);
      }
    }
    node.leaf ??= new Map();
    node.leaf.set(method, { names, value });
  }

  /** @returns the match; the methods that the path has when this one is not among them; or null for an unknown path */
  find(method: string, path: string): RouteMatch<T> | readonly string[] | null {
    const values: string[] = [];
    const leaf = walk(this.#root, { segments: path.slice(1).split('/'), values }, 0);
    if (leaf === null) return null;
    const entry = leaf.get(method);
    if (entry === undefined) return [...leaf.keys()];
    const params: Record<string, string> = {};
    entry.names.forEach((name, index) => {
      params[name] = values[index] ?? '';
    });
    return { value: entry.value, params };
  }
}

const newNode = <T>(): Node<T> => ({ fixed: new Map<string, Node<T>>(), parameter: null, rest: null, leaf: null });

function childOf<T>(node: Node<T>, segment: string): Node<T> {
  const known = node.fixed.get(segment);
  if (known !== undefined) return known;
  const child = newNode<T>();
  node.fixed.set(segment, child);
  return child;
}

/** Goes down by the segments from `at` on; `values` holds the parameters on the way. */
function walk<T>(node: Node<T>, way: Way, at: number): Leaf<T> | null {
  const { segments, values } = way;
  const segment = segments[at];
  if (segment === undefined) return node.leaf;
  const fixed = node.fixed.get(segment);
  if (fixed !== undefined) {
    const found = walk(fixed, way, at + 1);
    if (found !== null) return found;
  }
  if (node.parameter !== null && segment !== '' && segment.length <= parameterMax) {
    values.push(segment);
    const found = walk(node.parameter, way, at + 1);
    if (found !== null) return found;
    values.pop();
  }
  if (node.rest === null || segment === '') return null;
  values.push(segments.slice(at).join('/'));
  return node.rest;
}
