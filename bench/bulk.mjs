// Long bodies, up and down, over a few kept connections; a body that was begun is brought to its end.
import { Agent, request } from 'node:http';

const chunk = Buffer.alloc(65_536, 'u');
const silentMsMax = 30_000;

function sendBody(asked, bytes) {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left);
      left -= part.length;
      if (!asked.write(part)) return;
    }
    asked.end();
  };
  asked.on('drain', more);
  more();
}

/** One body. Resolves to whether all of it arrived. */
const transfer = ({ port, path, headers, uploadBytes, downloadBytes }, agent) =>
  new Promise((resolve) => {
    const isUpload = uploadBytes !== undefined;
    const length = isUpload ? { 'Content-Length': uploadBytes } : {};
    const method = isUpload ? 'POST' : 'GET';
    const asked = request({ host: '127.0.0.1', port, method, path, agent, headers: { ...headers, ...length } });
    asked.setTimeout(silentMsMax, () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.on('response', (answer) => {
      let bytes = 0;
      let text = '';
      answer.on('data', (part) => {
        bytes += part.length;
        if (isUpload) text += part.toString();
      });
      answer.on('error', () => resolve(false));
      answer.on('end', () => {
        const isWhole = isUpload ? text === `{"bytes":${uploadBytes}}` : bytes === downloadBytes;
        resolve(answer.statusCode === 200 && isWhole);
      });
    });
    if (isUpload) sendBody(asked, uploadBytes);
    else asked.end();
  });

/** Bodies one after another on each of `connections` for at least `seconds`. */
export async function transfers({ connections, seconds, ...one }) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const fromMs = performance.now();
  const counts = { requests: 0, errors: 0 };
  const worker = async () => {
    do {
      const isWhole = await transfer(one, agent);
      counts.requests += 1;
      if (!isWhole) counts.errors += 1;
    } while (performance.now() - fromMs < seconds * 1_000);
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return { ...counts, seconds: (performance.now() - fromMs) / 1_000 };
}
