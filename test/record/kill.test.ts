import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { readAuditTail, verifyAuditLog } from '../../src/record/record.js';
import { opened } from './fixtures/sample.js';

const committer = fileURLToPath(new URL('fixtures/committer.ts', import.meta.url));
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

t.test(
  'R2 AU-04 (short) a decision that was acknowledged outlives SIGKILL, and one without an outcome is named',
  async (t) => {
    const dir = t.testdir();
    const acknowledged = new Set<string>();
    const told = new Set<string>();
    for (let cycle = 0; cycle < 3; cycle += 1) {
      const child = spawn(process.execPath, [...process.execArgv, committer, dir, `C${String(cycle)}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await once(child.stdout, 'data');
      await after(randomInt(5, 120)); // the moment of the kill is what is tried
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      await gone;
      for (const id of text.split('\n').slice(0, -1)) acknowledged.add(id);

      const { log } = await opened(dir, { segmentBytes: 65_536 });
      await log.close();
      const verdict = await verifyAuditLog(dir);
      t.strictSame(verdict.problems, [], `cycle ${String(cycle)}: the chain holds`);
    }
    const all = await readAuditTail(dir, 1_000_000);
    const decided = new Set(all.filter(({ type }) => type === 'authorization.allowed').map(({ id }) => String(id)));
    const ended = new Set(all.filter(({ type }) => type === 'memory.completed').map(({ id }) => String(id)));
    for (const { type, unfinished } of all)
      if (type === 'system.recovered') for (const id of strings(unfinished)) told.add(id);
    t.ok(acknowledged.size > 100, `${String(acknowledged.size)} acknowledged`);
    t.strictSame(
      [...acknowledged].filter((id) => !decided.has(id)),
      [],
      'none is lost',
    );
    t.strictSame(
      [...decided].filter((id) => ended.has(id) === told.has(id)),
      [],
      'each has an outcome, or is named once',
    );
  },
);
