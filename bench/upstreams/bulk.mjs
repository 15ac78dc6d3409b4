// The part of the upstream that nginx cannot play: event streams, uploads that are counted, long downloads.
// GET …/docs/bulk-sse: an event of about 100 bytes ten times a second; GET …/docs/bulk-10m: 10 MB; POST …/docs/bulk-sink: tells how many bytes came.
import { createServer } from 'node:http';

const eventIntervalMs = 100;
const event = `data: ${JSON.stringify({ type: 'tick', text: 'z'.repeat(72) })}\n\n`;
const chunk = Buffer.alloc(65_536, 'd');
const downloadBytes = 10_000_000;
const streams = new Set();

setInterval(() => {
  for (const response of streams) response.write(event);
}, eventIntervalMs);

function stream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(event);
  streams.add(response);
  response.on('close', () => streams.delete(response));
}

function download(response) {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': downloadBytes });
  let left = downloadBytes;
  const more = () => {
    while (left > 0) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left);
      left -= part.length;
      if (!response.write(part)) return;
    }
    response.end();
  };
  response.on('drain', more);
  more();
}

function sink(request, response) {
  let bytes = 0;
  request.on('data', (part) => (bytes += part.length));
  request.on('end', () => {
    const text = JSON.stringify({ bytes });
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
      .end(text);
  });
}

createServer({ requestTimeout: 0, keepAliveTimeout: 600_000 }, (request, response) => {
  response.on('error', () => undefined);
  if (request.method === 'POST') sink(request, response);
  else if (request.url.endsWith('/bulk-sse')) stream(response);
  else download(response);
}).listen(Number(process.argv[2]), '127.0.0.1');
