import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ReadRequest } from '../../wire/support/strict-reader.js';

/** What a reader says of a request that a record must agree with. */
interface Read {
  readonly method: string;
  readonly path: string;
  /** Empty for a route without one. */
  readonly space: string;
  readonly spaces: string;
}

/** Requests by id, as all servers have read them; compared with the records when the log is whole. */
export class Decided {
  readonly #read = new Map<string, Read>();
  readonly #wrong: string[] = [];

  get count(): number {
    return this.#read.size;
  }

  add({ method, target, values }: ReadRequest): void {
    const [id = '', ...more] = values('x-request-id');
    if (id === '' || more.length > 0 || this.#read.has(id)) this.#wrong.push(`no id of its own: ${id}`);
    const space = values('x-memory-space').join();
    const spaces = values('x-auth-spaces').join();
    this.#read.set(id, { method, path: target.split('?')[0] ?? '', space, spaces });
  }

  /** Goes once through the whole log. @returns one line per request that was decided otherwise, or not at all */
  async differences(auditDir: string): Promise<string[]> {
    const left = new Map(this.#read);
    const wrong = [...this.#wrong];
    for (const name of readdirSync(auditDir).filter((each) => each.endsWith('.jsonl'))) {
      for await (const line of createInterface({ input: createReadStream(join(auditDir, name)) })) {
        if (!line.includes('"effect":"allow"')) continue;
        const record = JSON.parse(line) as DecisionRecord;
        const read = left.get(record.id);
        if (read === undefined || record.effect !== 'allow') continue;
        left.delete(record.id);
        wrong.push(...between(record, read).map((what) => `${record.id}: ${what}`));
      }
    }
    return [...wrong, ...[...left.keys()].map((id) => `${id}: read, and never decided on`)];
  }
}

interface DecisionRecord {
  readonly id: string;
  readonly effect: string;
  readonly method: string;
  readonly path: string;
  readonly spaces: { readonly all: boolean; readonly ids: readonly string[] };
}

function between({ method, path, spaces }: DecisionRecord, read: Read): string[] {
  const wrong: string[] = [];
  if (method !== read.method) wrong.push(`decided ${method}, read ${read.method}`);
  // A record keeps the beginning of a very long path.
  const isSame = path.endsWith('…') ? read.path.startsWith(path.slice(0, -1)) : path === read.path;
  if (!isSame) wrong.push(`decided ${path}, read ${read.path}`);
  const allowed = spaces.all ? '*' : spaces.ids.join(',');
  if (allowed !== read.spaces) wrong.push(`decided spaces ${allowed}, read ${read.spaces}`);
  if (read.space !== '' && !spaces.all && !spaces.ids.includes(read.space))
    wrong.push(`decided spaces ${allowed}, read space ${read.space}`);
  return wrong;
}
