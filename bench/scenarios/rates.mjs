// A fixed rate, whatever the answers do. The same client goes straight to the upstream (`direct`) in the same rounds, and the disk is asked
// for its own times there, while nothing else of this run is at work.
import { headersOf } from '../checks.mjs';
import { syncTimes } from '../disk.mjs';
import { openLoop } from '../load.mjs';
import { quantile } from '../stats.mjs';
import { ofRates } from './which.mjs';

const connections = 64;

function bytesOf({ port, vars, ...variant }) {
  const lines = Object.entries(headersOf({ vars, ...variant })).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${vars.TARGET} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n${lines.join('')}\r\n`);
}

const atRate = (rate) => ({
  name: `rate-${rate}`,
  note: `GET, answer of 1 KB, ${rate} requests a second over at most ${connections} connections`,
  variants: ofRates,
  open: (variant) => (variant.name === 'direct' ? syncTimes(variant.vars.DIR) : {}),
  load: async (variant, { seconds, session }) => {
    const bytes = bytesOf(variant);
    const url = new URL(`http://127.0.0.1:${variant.port}`);
    const { latencies, problems, lateness, sent } = await openLoop(url, {
      rate,
      seconds,
      connections,
      next: () => bytes,
    });
    const us = (share) => quantile(latencies, share) * 1_000;
    const errors = [...problems.values()].reduce((sum, count) => sum + count, 0);
    return {
      requests: sent,
      errors,
      seconds,
      p50Us: us(0.5),
      p99Us: us(0.99),
      extra: { ...session, generatorLateP99Us: quantile(lateness, 0.99) * 1_000 },
    };
  },
});

export default [atRate(1_000), atRate(3_000)];
