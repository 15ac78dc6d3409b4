import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { recall } from './support/client.js';
import { howMany } from './support/environment.js';
import { say, tenths } from './support/figures.js';
import { launcher } from './support/memory.js';
import { rssMiB } from './support/process-watch.js';
import { makePlace, startProgram, type Place, type Program } from './support/program.js';
import { bigServer } from './support/slow-clients.js';

const mib = 1_048_576;
const uploads = howMany(100, 24);
const uploadBytes = 100 * mib;
const inspectMax = mib;
const inProgressMax = 8 * mib;
const piece = Buffer.alloc(65_536, 'x');
/** What the sender's and the receiver's side of the kernel may hold of one upload. */
const kernelBytes = 10 * mib;
/** What is read away so that the answer is not lost in a reset. */
const discardedBytes = 4 * mib;
const grownMaxMiB = 100;
const waitMs = 60_000;

interface Ended {
  readonly status: number;
  readonly sentBytes: number;
}

/** Sends a body, of 100 MiB where nothing else is said, until it is answered or cut. */
function upload(
  { gateway }: Program,
  { keys }: Place,
  { framing, bytes = uploadBytes }: { readonly framing: 'length' | 'chunked'; readonly bytes?: number },
): Promise<Ended> {
  const socket = connect(Number(gateway.port), gateway.hostname);
  const lines = [
    `Host: ${gateway.host}`,
    `Authorization: Bearer ${keys.other}`,
    'X-Memory-Space: alpha',
    'Content-Type: application/json',
    framing === 'length' ? `Content-Length: ${bytes}` : 'Transfer-Encoding: chunked',
  ];
  socket.write(`POST /api/v1/memories/remember HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  let sentBytes = 0;
  const more = (): void => {
    for (let isTaken = true; isTaken && sentBytes < bytes && !socket.destroyed; sentBytes += piece.length) {
      if (framing === 'chunked') socket.write(`${piece.length.toString(16)}\r\n`);
      isTaken = socket.write(piece);
      if (framing === 'chunked') socket.write('\r\n');
    }
  };
  socket.on('drain', more);
  more();
  return new Promise((resolve) => {
    let status = 0;
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.once('data', (answer: Buffer) => (status = Number(answer.toString('latin1', 9, 12))));
    socket
      .on('error', () => undefined)
      .once('close', () => {
        clearTimeout(timer);
        resolve({ status, sentBytes: socket.bytesWritten - socket.writableLength });
      });
  });
}

async function sendAll(t: Test, framing: 'length' | 'chunked', wanted: readonly number[]): Promise<void> {
  const place = await makePlace(t, await bigServer(t), {
    gateway: {
      listen: '127.0.0.1:0',
      inspect_max_bytes: inspectMax,
      inspect_max_bytes_in_progress: inProgressMax,
    },
  });
  const program = await startProgram(t, place, { command: launcher });
  for (const key of [place.keys.alpha, place.keys.other]) t.equal((await recall(program.gateway, key)).status, 200);
  const before = rssMiB(program.pid);
  let highest = before;
  const watch = setInterval(() => (highest = Math.max(highest, rssMiB(program.pid))), 20);
  const ended = await Promise.all(Array.from({ length: uploads }, () => upload(program, place, { framing })));
  clearInterval(watch);
  const grown = highest - before;
  t.strictSame(
    [...new Set(ended.map(({ status }) => status))].filter((status) => !wanted.includes(status)),
    [],
  );
  // Alone, and with little left to send: its answer cannot be lost in a reset.
  t.equal((await upload(program, place, { framing, bytes: inspectMax + 2 * piece.length })).status, 413, 'too large');
  const most = Math.max(...ended.map(({ sentBytes }) => sentBytes));
  t.ok(
    most <= inspectMax + discardedBytes + kernelBytes,
    `no more than ${tenths(most / mib)} MiB of one left its client`,
  );
  t.ok(grown <= grownMaxMiB, `it grew by ${tenths(grown)} MiB`);
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200, 'and goes on');
  t.equal(await program.stop(), 0);
  say(t, {
    id: 'OV-07',
    promise: `${uploads} uploads of 100 MiB that would have to be read for a decision: refused, and memory stays`,
    method: `${framing === 'length' ? 'Content-Length' : 'chunks'}; inspect_max_bytes 1 MiB, in progress 8 MiB; sampled every 20 ms`,
    figure: { grown_mib: tenths(grown), most_sent_mib: tenths(most / mib) },
    ok: t.passing(),
  });
}

// An upload that goes on as its own answer arrives may meet a reset before it reads it: that is a 0.
t.test('OV-07 their length says that they are too large', (t) => sendAll(t, 'length', [413, 0]));
t.test('OV-07 their chunks go on and on', (t) => sendAll(t, 'chunked', [413, 503, 0]));
