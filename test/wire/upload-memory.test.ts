import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from './support/build.js';
import { H, SA, wireCase } from './support/cases.js';
import { startProgram } from './support/program.js';
import { Client } from './support/wire.js';

const mib = 1_048_576;
const bytes = 100 * mib;
const grownMaxMib = 32;

// The profile with one route whose body is passed on unread: Engram's own has none.
const profileText = readFileSync(join(root, 'config', 'profiles', 'engram.yaml'), 'utf8');
const route = /( {2}- id: memories\.store\b[^]*?space: \[header:X-Memory-Space\]\n)/;
const profile = join(t.testdir({}), 'profile.yaml');
writeFileSync(profile, profileText.replace(route, '$1    body: stream\n    body_reason: test only\n'));
const program = await startProgram(t, { config: { profile } });

// V8 would collect none of the pieces of a body before 32 MiB of them are lying about: the program asks it to, more often.
const rounds = [
  { framing: 'length', which: 'the first' },
  { framing: 'length', which: 'a later' },
  { framing: 'chunked', which: 'a later' },
] as const;
for (const { framing, which } of rounds) {
  const name = `${which} upload of 100 MiB by ${framing} to a server that hesitates`;
  const allow = { hashes: true, untracked: true, memoryMib: grownMaxMib };
  await wireCase(t, program, { name, allow }, async (one) => {
    one.recorder.script({
      head: (_, { socket }) => {
        socket.pause();
        setTimeout(() => socket.resume(), 1_000);
      },
    });
    const client = await Client.open({ port: program.port });
    one.t.teardown(() => client.close());
    const before = program.rss();
    const from = one.recorder.received;
    let highest = before;
    const watch = setInterval(() => (highest = Math.max(highest, program.rss())), 20);
    one.t.teardown(() => clearInterval(watch));
    const how = framing === 'length' ? `Content-Length: ${bytes}` : 'Transfer-Encoding: chunked';
    client.write(
      `POST /api/v1/memories HTTP/1.1\r\n${H}${one.key('KA')}${SA}Content-Type: application/octet-stream\r\n${how}\r\n\r\n`,
    );
    const piece = Buffer.alloc(65_536, 'x');
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]);
    for (let sent = 0; sent < bytes; sent += piece.length)
      if (!client.socket.write(framing === 'length' ? piece : chunk))
        await new Promise((resolve) => client.socket.once('drain', resolve));
    if (framing === 'chunked') client.write('0\r\n\r\n');
    one.t.ok(await client.until(() => client.answers[0]?.isWhole === true, 30_000), 'it is answered');
    one.t.equal(client.answers[0]?.status, 200);
    one.t.ok(one.recorder.received - from >= bytes, 'every byte has arrived');
    const grown = Math.round((highest - before) / mib);
    one.t.ok(grown <= grownMaxMib, `${grownMaxMib} MiB more at most (${grown})`);
    one.t.comment(
      `figure: ${JSON.stringify({ id: 'upload-memory', promise: `100 MiB through a streaming route: RSS ≤ +${grownMaxMib} MiB`, method: `${framing}, ${which}`, figure: { grown_mib: grown }, ok: grown <= grownMaxMib })}`,
    );
  });
}
