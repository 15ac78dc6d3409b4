import t from 'tap';
import { startProgram } from './support/program.js';

const mib = 1_048_576;

await t.test('bounds that cannot all be reached within the memory are told at start', async (t) => {
  const program = await startProgram(t, { config: { gateway: { max_rss_bytes: 256 * mib } }, warm: false });
  t.match(program.stderr, /"msg":"pressure\.bounds-exceed-memory"/);
  t.match(program.stderr, /"largest":\["[a-z_.]+: \d+ MiB",/, 'the largest by name');
  await program.stop();
  await program.writeConfig({ gateway: { max_rss_bytes: 4_096 * mib } });
  const from = program.stderr.length;
  await program.start();
  t.notMatch(program.stderr.slice(from), /bounds-exceed-memory/);
});

await t.test('a start with less memory than the process itself needs is refused', async (t) => {
  const program = await startProgram(t, { warm: false });
  await program.stop();
  await program.writeConfig({ gateway: { max_rss_bytes: 32 * mib } });
  await t.rejects(program.start(), { message: /memory is short before the first request: the process has \d+ MiB/ });
  t.equal(program.exit?.code, 1);
});
