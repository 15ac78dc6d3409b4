// Streams and long bodies.
import { transfers } from '../bulk.mjs';
import { headersOf } from '../checks.mjs';
import { openStreams } from '../sse.mjs';
import { kindsAndBare } from './which.mjs';

const streams = 200;
const eventsPerSecond = 10; // of upstreams/bulk.mjs
const megabyte = 1_000_000;
const beside = (variant, name) => variant.vars.TARGET.replace(/[^/]*$/, name);

const bulk = (name, note, { path, ...load }) => ({
  name,
  note,
  variants: kindsAndBare,
  load: (variant, { seconds }) =>
    transfers({ port: variant.port, path: beside(variant, path), headers: headersOf(variant), seconds, ...load }),
});

export default [
  {
    name: 'sse-200',
    note: `${streams} open streams, each with ${eventsPerSecond} events a second; a request is an event`,
    // http-proxy keeps the stream to the upstream when the client has left: the second round finds its 256 connections taken.
    variants: (variant) => kindsAndBare(variant) && variant.name !== 'http-proxy',
    open: (variant) =>
      openStreams({
        port: variant.port,
        path: beside(variant, 'bulk-sse'),
        headers: headersOf(variant),
        count: streams,
      }),
    load: async (_, { seconds, session }) => {
      const [before, fromMs] = [session.events, performance.now()];
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
      return {
        requests: session.events - before,
        errors: session.closed,
        seconds: (performance.now() - fromMs) / 1_000,
      };
    },
    close: (session) => session?.close(),
  },
  bulk('upload-1m', 'POST of 1 MB, 8 connections', { path: 'bulk-sink', connections: 8, uploadBytes: megabyte }),
  bulk('upload-100m', 'POST of 100 MB, 2 connections', {
    path: 'bulk-sink',
    connections: 2,
    uploadBytes: 100 * megabyte,
  }),
  bulk('download-10m', 'GET, answer of 10 MB, 8 connections', {
    path: 'bulk-10m',
    connections: 8,
    downloadBytes: 10 * megabyte,
  }),
];
