// The demo's memory server in a process of its own, so that its work does not count as the gateway's.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../dist/base/clock.js';
import { startMemoryServer } from '../dist/demo/server/server.js';

const dataDir = mkdtempSync(join(tmpdir(), 'memgate-bench-upstream-'));
const server = await startMemoryServer({ port: 0, dataDir, spaces: ['alpha', 'beta', 'default'], clock: systemClock });
process.stdout.write(`${server.url}\n`);
process.once('SIGTERM', async () => {
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});
