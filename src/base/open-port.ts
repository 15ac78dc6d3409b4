import type { Server } from 'node:net';

/** Where a server is wanted: port 0 takes a free one. */
export interface PortWish {
  readonly host: string;
  readonly port: number;
  readonly backlog?: number;
}

/** Makes a server listen. @returns where it does. @throws the system's error, such as EADDRINUSE */
export function openPort(server: Server, { host, port, backlog }: PortWish): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ...(backlog !== undefined && { backlog }) }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}
