import t from 'tap';
import { H } from './support/cases.js';
import { startProgram } from './support/program.js';
import { as, recall } from './support/steps.js';
import { send } from './support/wire.js';

const open = { auth_mode: 'none', static_tokens: [] };

await t.test('auth_mode: none is refused without the start flag', async (t) => {
  await t.rejects(startProgram(t, { config: open }), /ended at start \(1\): .*auth_mode.*--i-know-this-is-open/s);
});

await t.test('auth_mode: none with the start flag', async (t) => {
  const program = await startProgram(t, { config: open, args: ['--i-know-this-is-open'] });
  const passes = async (name: string, bytes: string): Promise<void> => {
    const [mark, audit] = [program.recorder.mark(), program.audit.mark()];
    const [answer] = (await send(program.port, bytes)).answers;
    t.equal(answer?.status, 200, `${name}: passes`);
    const record = await program.audit.find(
      audit,
      ({ id, effect }) => id === answer?.header('x-request-id') && effect !== undefined,
    );
    t.match(record, { enforcement: 'open', subject: { kind: 'anonymous' } }, `${name}: recorded as open`);
    t.equal(program.recorder.requestsSince(mark).length, 1, `${name}: forwarded`);
  };
  await passes('no credential', recall(''));
  await passes('any credential', as('whatever'));
  t.equal((await send(program.port, recall(H.trimEnd()))).answers[0]?.status, 400, 'the gate still refuses');
  const reload = (line: string): string => `POST /-/reload HTTP/1.1\r\n${H}${line}Content-Length: 0\r\n\r\n`;
  t.equal((await send(program.adminPort, reload(''))).answers[0]?.status, 401, 'operators still need a credential');
  await program.writeConfig({ ...open, auth_mode: ['none', 'api_key'] });
  const { status, body } = await program.reload();
  t.equal(status, 422, 'none stands alone');
  t.match(body.problems.join('\n'), /auth_mode/);
  await program.writeConfig({});
  t.equal((await program.reload()).status, 200, 'closing it takes a reload');
  t.equal((await send(program.port, recall(''))).answers[0]?.status, 401, 'and then a credential is needed');
});
