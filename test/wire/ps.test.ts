import t from 'tap';
import { wireCase } from './support/cases.js';
import { startProgram } from './support/program.js';

const program = await startProgram(t);

await wireCase(t, program, { name: 'PS-01 length and chunked' }, async (c) => {
  await c.refused('both', `${c.rememberHead('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n`, {
    status: 400,
  });
});
await wireCase(t, program, { name: 'PS-22 pipelining' }, async (c) => {
  await c.passes('GOOD', c.good);
});
