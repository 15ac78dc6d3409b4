import t from 'tap';
import { wireCase, type Case } from './support/cases.js';
import { deaf } from './support/deaf.js';
import { startProgram } from './support/program.js';
import { as, reload } from './support/steps.js';

// A name of two addresses, on a machine that has no resolver for it.
const twoAddresses = `
import dns from 'node:dns';
const { lookup } = dns;
dns.lookup = (name, options, callback) => {
  if (name !== 'memory.test') return lookup(name, options, callback);
  const found = [{ address: '127.0.0.9', family: 4 }, { address: '127.0.0.1', family: 4 }];
  if (options.all) process.nextTick(callback, null, found);
  else process.nextTick(callback, null, found[0].address, 4);
};`;

const upstream = { connections: 4, connect_timeout_ms: 2_000 };
const program = await startProgram(t, {
  config: { upstream },
  nodeArgs: [`--import=data:text/javascript,${encodeURIComponent(twoAddresses)}`],
});

const echoes = (one: Case): void =>
  one.recorder.script({
    request: ({ target }, reply) => {
      const text = /q=[0-9]+/.exec(target)?.[0] ?? '';
      reply.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    },
  });

/** Twenty requests at once, each of which must get its own answer or 502. @returns how many got it */
async function echoed(one: Case): Promise<number> {
  const seen = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const { answers, durationMs } = await one.send(as(program.keys.KA.text, `q=${n}`));
      const isOwn = answers[0]?.status === 200 && answers[0].body.toString() === `q=${n}`;
      one.t.ok(
        isOwn || answers[0]?.status === 502 || answers[0]?.status === 504,
        `its own answer, or none (${answers[0]?.status ?? 0})`,
      );
      one.t.ok(durationMs < upstream.connect_timeout_ms + 1_500, 'within the connect timeout');
      return isOwn;
    }),
  );
  return seen.filter(Boolean).length;
}

await wireCase(t, program, { name: 'UP-19' }, async (one) => {
  echoes(one);
  await program.writeConfig({ upstream: { ...upstream, url: `http://memory.test:${one.recorder.port}` } });
  await reload(one);
  one.t.equal(await echoed(one), 20, 'the second address serves when the first one refuses');
});

await wireCase(t, program, { name: 'UP-19 (silent)' }, async (one) => {
  echoes(one);
  const first = await deaf('127.0.0.9', one.recorder.port);
  try {
    await program.writeConfig({
      upstream: { ...upstream, url: `http://memory.test:${one.recorder.port}`, connections: 5 },
    });
    await reload(one);
    one.t.equal(await echoed(one), 20, 'and when the first one does not answer');
  } finally {
    await first.close();
  }
});
