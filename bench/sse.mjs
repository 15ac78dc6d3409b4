// Many open event streams, and the events that come over them.
import { connect } from 'node:net';

const openMsMax = 20_000;
const end = Buffer.from('\n\n');

class Streams {
  events = 0;
  closed = 0;
  #begun = 0;
  #sockets = [];

  /** Resolves when every stream has brought its first event. */
  open({ port, path, headers, count }) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n${lines.join('')}\r\n`;
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error(`only ${this.#begun} of ${count} streams are open`));
      const timer = setTimeout(fail, openMsMax);
      const begun = () => {
        this.#begun += 1;
        if (this.#begun < count) return;
        clearTimeout(timer);
        resolve();
      };
      for (let n = 0; n < count; n += 1)
        this.#one(port, head, begun).on('close', () => {
          clearTimeout(timer);
          fail(); // nothing more happens where it was resolved
        });
    });
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
  }

  #one(port, head, begun) {
    let isFirst = true;
    const socket = connect(port, '127.0.0.1', () => socket.write(head)).setNoDelay(true);
    socket.on('data', (chunk) => {
      if (isFirst) {
        if (!chunk.includes('data: ')) return; // the head alone
        isFirst = false;
        if (chunk.includes(' 200 ') || !chunk.includes('HTTP/1.1 ')) begun();
      }
      for (let at = chunk.indexOf(end); at >= 0; at = chunk.indexOf(end, at + end.length)) this.events += 1;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed += 1));
    this.#sockets.push(socket);
    return socket;
  }
}

export async function openStreams(options) {
  const streams = new Streams();
  await streams.open(options).catch((error) => {
    streams.close();
    throw error;
  });
  return streams;
}
