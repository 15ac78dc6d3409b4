import { connect, createServer, type AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** A line to a server on which somebody listens. */
export interface LineTap {
  readonly port: number;
  /** What has gone to the server since the last time. */
  taken(): string;
}

/** Passes bytes to a server and back as they are, and keeps those that went there. */
export async function tapLine(t: Test, serverPort: number): Promise<LineTap> {
  let kept = '';
  const sockets = new Set<{ destroy(): unknown }>();
  const server = createServer((client) => {
    const onward = connect(serverPort, '127.0.0.1');
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => (kept += bytes.toString('latin1')));
    client.pipe(onward).pipe(client);
    client.on('close', () => onward.destroy());
    onward.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    taken: () => {
      const all = kept;
      kept = '';
      return all;
    },
  };
}
