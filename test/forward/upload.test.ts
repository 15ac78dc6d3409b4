import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Upload } from '../../src/forward/upload.js';
import type { Fault } from '../../src/model/codes.js';

interface Running {
  readonly upload: Upload;
  readonly source: PassThrough;
  readonly socket: Socket;
  readonly faults: readonly Fault[];
  arrived(): string;
}

/** An upload over a real connection. */
async function start(t: Test, bytes: number | null): Promise<Running> {
  let text = '';
  const server = createServer((peer) => {
    peer.on('error', () => undefined).on('data', (part: Buffer) => (text += part.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  const source = new PassThrough();
  const faults: Fault[] = [];
  const upload = new Upload({
    socket,
    source,
    bytes,
    moved: () => undefined,
    failed: (fault) => {
      faults.push(fault);
      upload.stop();
    },
  });
  return { upload, source, socket, faults, arrived: () => text };
}

async function until(test: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 500 && !test(); tries += 1) await sleep(10);
  return test();
}

t.test('parts are written at the end of the turn, when all that has come was read', async (t) => {
  const { upload, source, socket, arrived } = await start(t, null);
  await new Promise<void>((resolve) => {
    source.once('data', () => process.nextTick(resolve));
    source.write('early');
  });
  t.equal(socket.bytesWritten, 0, 'not at once');
  t.ok(await until(() => arrived() === '5\r\nearly\r\n'), 'but then');

  await new Promise<void>((resolve) => {
    source.once('data', () => process.nextTick(resolve));
    source.write('late');
  });
  upload.stop(); // as an answer does that is there by then
  await nextTurn();
  await nextTurn();
  await sleep(20);
  t.equal(arrived(), '5\r\nearly\r\n', 'what was given up in between is not written any more');
});

t.test('the end comes behind all parts', async (t) => {
  for (const [bytes, wanted] of [
    [null, '3\r\nabc\r\n0\r\n\r\n'],
    [3, 'abc'],
  ] as const) {
    const { upload, source, arrived, faults } = await start(t, bytes);
    source.end('abc');
    t.ok(await until(() => upload.isDone), `${String(bytes)}: it is done`);
    t.ok(await until(() => arrived() === wanted), arrived());
    t.strictSame(faults, []);
  }
  const { upload, source, arrived } = await start(t, null);
  source.end();
  t.ok(await until(() => upload.isDone && arrived() === '0\r\n\r\n'), 'and with none there are');
});

t.test('a body that is not as long as it says is a fault, and is not written beyond', async (t) => {
  for (const [name, text] of [
    ['longer', 'abcd'],
    ['shorter', 'ab'],
  ] as const) {
    const { upload, source, arrived, faults } = await start(t, 3);
    source.end(text);
    t.ok(await until(() => faults.length > 0), name);
    t.match(faults, [{ code: 'self.bug', message: new RegExp(name) }]);
    t.notOk(upload.isDone);
    t.ok(arrived().length <= 3);
  }
});
