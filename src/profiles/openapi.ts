import { readTextFile, readYaml, type Problem } from '../base/document.js';
import { fileProblem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { isTree, Schemas, type Field, type Tree } from './openapi-schema.js';

export interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly kind: Field;
}

export interface Operation {
  readonly method: string;
  /** As the document spells it, behind the path of its first server. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Media types of the body, and its named fields where it is a JSON object; null when it takes none. */
  readonly body: { readonly types: readonly string[]; readonly fields: ReadonlyMap<string, Field> | null } | null;
  readonly isStream: boolean;
  /** True when a part of it stands in another document. */
  readonly leadsAway: boolean;
}

export interface OpenApi {
  readonly title: string;
  readonly operations: readonly Operation[];
}

const documentBytesMax = 8_388_608;
const operationsMax = 2_000;
const methods = ['get', 'post', 'put', 'patch', 'delete', 'options', 'head', 'trace'];

/** Reads an OpenAPI 3 document: JSON as JSON, everything else as YAML. */
export async function readOpenApi(file: string): Promise<Result<OpenApi, readonly Problem[]>> {
  const text = await readTextFile(file, documentBytesMax);
  if (!text.ok) return no([fileProblem(file, text.why)]);
  const parsed = await parse(file, text.value);
  if (!parsed.ok) return parsed;
  const root = parsed.value;
  if (!isTree(root) || typeof root['openapi'] !== 'string' || !/^3[.]/.test(root['openapi']))
    return no([fileProblem(file, 'is no OpenAPI document of version 3 (a field openapi: 3.… is wanted)')]);
  if (!isTree(root['paths'])) return no([fileProblem(file, 'has no paths')]);
  const operations = operationsOf(root, root['paths']);
  if (operations.length > operationsMax)
    return no([fileProblem(file, `has ${String(operations.length)} operations, must be ≤ ${String(operationsMax)}`)]);
  const info = root['info'];
  return ok({ title: isTree(info) && typeof info['title'] === 'string' ? info['title'] : '', operations });
}

async function parse(file: string, text: string): Promise<Result<unknown, readonly Problem[]>> {
  if (!/^\s*\{/.test(text)) {
    const document = await readYaml(file, text, documentBytesMax);
    return document.ok ? ok(document.value.value) : document;
  }
  try {
    return ok(JSON.parse(text) as unknown);
  } catch {
    return no([fileProblem(file, 'is not JSON, although it begins with a brace')]);
  }
}

function operationsOf(root: Tree, paths: Tree): Operation[] {
  const prefix = serverPath(root['servers']);
  return Object.entries(paths).flatMap(([path, item]) => {
    if (!isTree(item)) return [];
    return methods.flatMap((method) => {
      const operation = item[method];
      return isTree(operation)
        ? [operationOf(new Schemas(root), { method, path: prefix + path, item, operation })]
        : [];
    });
  });
}

/** Path of the first server, which every path of the document stands behind. */
function serverPath(servers: unknown): string {
  const first: unknown = Array.isArray(servers) ? servers[0] : undefined;
  const url = isTree(first) ? first['url'] : undefined;
  if (typeof url !== 'string') return '';
  return url.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/, '').replace(/\/+$/, '');
}

interface Found {
  readonly method: string;
  readonly path: string;
  readonly item: Tree;
  readonly operation: Tree;
}

function operationOf(schemas: Schemas, { method, path, item, operation }: Found): Operation {
  const parameters = new Map<string, Parameter>();
  for (const list of [item['parameters'], operation['parameters']]) {
    for (const node of Array.isArray(list) ? (list as unknown[]) : []) {
      const { in: where, name, schema } = schemas.resolved(node);
      if (typeof where !== 'string' || typeof name !== 'string') continue;
      parameters.set(`${where}:${name}`, { in: where, name, kind: schemas.field(schema) });
    }
  }
  const body = operation['requestBody'] === undefined ? null : bodyOf(schemas, operation['requestBody']);
  const answers = Object.values(schemas.resolved(operation['responses'])).map((answer) => schemas.resolved(answer));
  return {
    method: method.toUpperCase(),
    path,
    parameters: [...parameters.values()],
    body,
    isStream: answers.some(({ content }) => isTree(content) && 'text/event-stream' in content),
    leadsAway: schemas.leadsAway,
  };
}

function bodyOf(schemas: Schemas, node: unknown): Operation['body'] {
  const { content } = schemas.resolved(node);
  const types = isTree(content) ? Object.keys(content) : [];
  const json = isTree(content) ? content['application/json'] : undefined;
  return { types, fields: isTree(json) ? schemas.fields(json['schema']) : null };
}
