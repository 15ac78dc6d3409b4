import { setImmediate as soon } from 'node:timers/promises';
import { readAll } from '../../wire/support/strict-reader.js';
import { Client, type Answer } from '../../wire/support/wire.js';
import type { Mutant } from './mutants.js';

/** Bytes that wait for more get this long; then the client leaves. */
const idleMs = 400;
const leaveMs = 2_000;
const addresses = 200;

export interface Target {
  readonly port: number;
}

/** Sends a mutant on a connection of its own and takes what comes: answers, or silence because the bytes want more. */
export async function sendMutant({ port }: Target, mutant: Mutant, index: number): Promise<readonly Answer[]> {
  // A port of one address is not free again for a minute: there are more connections than that.
  const client = await Client.open({ port, localAddress: `127.0.1.${1 + (index % addresses)}` });
  const wanted = Math.max(1, readAll(mutant.bytes).requests.length);
  const isDone = (): boolean => client.isClosed || client.answers.filter(({ isWhole }) => isWhole).length >= wanted;
  try {
    for (const piece of mutant.pieces) {
      client.write(piece);
      await soon();
    }
    if (!(await client.until(isDone, idleMs))) {
      client.socket.end();
      await client.until(() => client.isClosed, leaveMs);
    }
    return client.answers;
  } finally {
    client.close();
  }
}
