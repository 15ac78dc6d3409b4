import fc from 'fast-check';
import t from 'tap';
import { closeFrame, TunnelFault } from '../../src/forward/frame-rules.js';
import { FrameWalk } from '../../src/forward/frame-walk.js';
import { MessageReader } from '../../src/forward/message-reader.js';
import { frame, readFrames } from '../wire/support/websocket.js';

const bytesMax = 4_096;
const seed = Number(process.env['MEMGATE_SEED'] ?? Date.now());
t.comment(`seed ${seed}`);

/** Frames that a client in order sends: messages in any number of parts, control frames anywhere between. */
const inOrder = fc.array(
  fc.record({
    parts: fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 5 }),
    pings: fc.array(fc.uint8Array({ maxLength: 125 }), { maxLength: 3 }),
  }),
  { maxLength: 6 },
);

const framesOf = ({ parts, pings }: { parts: readonly string[]; pings: readonly Uint8Array[] }): Buffer =>
  Buffer.concat(
    parts.flatMap((part, at) => [
      ...pings.filter((_, i) => i % parts.length === at).map((ping) => frame(Buffer.from(ping), { opcode: 9 })),
      frame(part, { opcode: at === 0 ? 1 : 0, fin: at === parts.length - 1 }),
    ]),
  );

/** The bytes in pieces that are cut at these places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((to, at) => bytes.subarray(places[at], to));
}

t.test('MessageReader gives each message once, whole, and its very frames, however they are cut', async (t) => {
  fc.assert(
    fc.property(inOrder, fc.array(fc.nat(), { maxLength: 12 }), (messages, cuts) => {
      const bytes = Buffer.concat(messages.map(framesOf));
      const reader = new MessageReader(bytesMax);
      const texts: string[] = [];
      const raw: Buffer[] = [];
      for (const piece of pieces(bytes, cuts)) {
        reader.push(piece);
        for (let next = reader.next(); next !== null; next = reader.next()) {
          raw.push(next.raw);
          if (next.text !== null) texts.push(next.text.toString());
        }
      }
      const wanted = messages.map(({ parts }) => parts.join(''));
      const same = Buffer.concat(raw).length === bytes.length && readFrames(Buffer.concat(raw)).taken === bytes.length;
      return JSON.stringify(texts) === JSON.stringify(wanted) && same;
    }),
    { seed, numRuns: 300 },
  );
  t.pass();
});

t.test('FrameWalk knows where a frame ends, however it is cut', async (t) => {
  fc.assert(
    fc.property(inOrder, fc.array(fc.nat(), { maxLength: 12 }), (messages, cuts) => {
      const bytes = Buffer.concat(messages.map(framesOf));
      const walk = new FrameWalk({ isMasked: true, mayCompress: false });
      let at = 0;
      for (const piece of pieces(bytes, cuts)) {
        walk.passed(piece);
        at += piece.length;
        const { taken } = readFrames(bytes.subarray(0, at));
        if (walk.isBetweenFrames !== (taken === at)) return false;
      }
      return walk.isBetweenFrames;
    }),
    { seed, numRuns: 300 },
  );
  t.pass();
});

t.test('any bytes at all end in frames or in a fault of ours, and hold no more than one message', async (t) => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.nat(15), fc.boolean(), fc.nat(7), fc.boolean(), fc.string({ maxLength: 200 }))
      .map(([opcode, fin, rsv, masked, text]) => frame(text, { opcode, fin, rsv, masked })),
  );
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 8 }), (list) => {
      const reader = new MessageReader(bytesMax);
      const walk = new FrameWalk({ isMasked: true, mayCompress: false });
      const outcomes = [
        (chunk: Buffer): void => {
          reader.push(chunk);
          for (let next = reader.next(); next !== null; next = reader.next()) walk.passed(next.raw); // what one gives, the other takes
        },
        (chunk: Buffer): void => new FrameWalk({ isMasked: false, mayCompress: true }).passed(chunk),
      ].map((run) => {
        try {
          for (const chunk of list) run(Buffer.from(chunk));
          return true;
        } catch (thrown) {
          return thrown instanceof TunnelFault;
        }
      });
      return outcomes.every(Boolean);
    }),
    { seed, numRuns: 2_000 },
  );
  t.pass();
});

const limits: Readonly<Record<string, readonly [frames: readonly Buffer[], code: string]>> = {
  'a message over the cap, told by its head': [[frame(Buffer.alloc(bytesMax + 1)).subarray(0, 8)], 'tunnel.too-large'],
  'a message over the cap in parts': [
    [frame(Buffer.alloc(bytesMax), { fin: false }), frame('x', { opcode: 0 })],
    'tunnel.too-large',
  ],
  'empty parts without end': [
    [frame('', { fin: false }), ...Array.from({ length: 1_100 }, () => frame('', { opcode: 0, fin: false }))],
    'tunnel.too-large',
  ],
  'a frame behind the close frame': [[frame('', { opcode: 8 }), frame('{}')], 'tunnel.protocol'],
  'a second message within the first': [[frame('a', { fin: false }), frame('b')], 'tunnel.protocol'],
  'a length of 63 bits': [
    [Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0])],
    'tunnel.protocol',
  ],
};
for (const [name, [frames, code]] of Object.entries(limits)) {
  t.test(`MessageReader refuses ${name}`, async (t) => {
    const reader = new MessageReader(bytesMax);
    t.throws(
      () => {
        for (const one of frames) {
          reader.push(one);
          while (reader.next() !== null);
        }
      },
      { code },
    );
  });
}

t.test('closeFrame() is one that each side may send', async (t) => {
  for (const isMasked of [true, false]) {
    const [read] = readFrames(closeFrame(1008, 'lease.revoked', isMasked)).frames;
    t.match(read, { opcode: 8, fin: true, masked: isMasked });
    t.equal(read?.payload.readUInt16BE(0), 1008);
    t.equal(read?.payload.toString('utf8', 2), 'lease.revoked');
    new FrameWalk({ isMasked, mayCompress: false }).passed(closeFrame(1008, 'lease.revoked', isMasked));
  }
});
