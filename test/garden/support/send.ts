import { setImmediate as soon } from 'node:timers/promises';
import { secondReading } from '../../wire/support/second-reader.js';
import { readAll } from '../../wire/support/strict-reader.js';
import { Client, type Answer } from '../../wire/support/wire.js';
import type { Mutant } from './mutants.js';

/** Bytes that hold no whole request get this long to be refused; then the client leaves. */
const idleMs = 300;
/** Answers that must come. A busy machine takes its time. */
const patienceMs = 8_000;
const leaveMs = 2_000;
const addresses = 200;

export interface Target {
  readonly port: number;
}

/** Methods of the whole requests in these bytes. Node's reader is the one in front of the gate: it is asked where the strict one gives up. */
async function methodsIn(bytes: Buffer): Promise<readonly string[]> {
  const { requests, wrong } = readAll(bytes);
  const read = wrong === null ? requests : (await secondReading(bytes)).requests;
  return read.map(({ method }) => method);
}

/** Sends a mutant on a connection of its own and takes what comes: answers, or silence because the bytes want more. */
export async function sendMutant({ port }: Target, mutant: Mutant, index: number): Promise<readonly Answer[]> {
  // A port of one address is not free again for a minute: there are more connections than that.
  const localAddress = `127.0.1.${1 + (index % addresses)}`;
  const methods = await methodsIn(mutant.bytes);
  const client = await Client.open({ port, localAddress, head: (at) => methods[at] === 'HEAD' });
  const isDone = (): boolean =>
    client.isClosed || client.answers.filter(({ isWhole }) => isWhole).length >= Math.max(1, methods.length);
  try {
    for (const piece of mutant.pieces) {
      client.write(piece);
      await soon();
    }
    if (!(await client.until(isDone, methods.length === 0 ? idleMs : patienceMs))) {
      client.socket.end();
      await client.until(() => client.isClosed, leaveMs);
    }
    return client.answers;
  } finally {
    client.close();
  }
}
