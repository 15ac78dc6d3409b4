import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

// The thread listens and then sleeps, so that nothing takes what the kernel has queued.
const source = `
const { parentPort, workerData } = require('node:worker_threads');
const server = require('node:net').createServer();
server.listen({ host: workerData.host, port: workerData.port, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
server.on('error', (error) => { throw error; });
`;

export interface Deaf {
  readonly port: number;
  close(): Promise<void>;
}

const answerMs = 300;
const queueMax = 64;

/** An address that takes no connection and refuses none: its queue is full. */
export async function deaf(host = '127.0.0.1', port = 0): Promise<Deaf> {
  const worker = new Worker(source, { eval: true, workerData: { host, port } });
  const at = await new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const filling: Socket[] = [];
  const close = async (): Promise<void> => {
    for (const socket of filling) socket.destroy();
    await worker.terminate();
  };
  while (filling.length < queueMax) {
    const socket = connect({ host, port: at }).on('error', () => undefined);
    filling.push(socket);
    const isTaken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), answerMs);
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!isTaken) return { port: at, close };
  }
  await close();
  throw new Error('the queue of connections does not fill');
}
