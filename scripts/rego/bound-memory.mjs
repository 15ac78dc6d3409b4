const memorySection = 5;
const headerBytes = 8;
const pagesPerMebibyte = 16;

/** A number as WebAssembly writes it: seven bits a byte, the lowest first. */
function readNumber(bytes, at) {
  let value = 0;
  for (let shift = 0, next = at; ; shift += 7, next += 1) {
    value += (bytes[next] & 127) * 2 ** shift;
    if (bytes[next] < 128) return { value, end: next + 1 };
  }
}

function writeNumber(value) {
  const bytes = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) + 128);
  }
}

/** The module with an upper bound on its only memory: Go's linker writes none, and a worker's limits do not reach it. */
export function boundMemory(wasm, mebibytes) {
  for (let at = headerBytes; at < wasm.length;) {
    const size = readNumber(wasm, at + 1);
    const end = size.end + size.value;
    if (wasm[at] !== memorySection) {
      at = end;
      continue;
    }
    const count = readNumber(wasm, size.end);
    const flags = readNumber(wasm, count.end);
    const least = readNumber(wasm, flags.end);
    if (count.value !== 1 || flags.value !== 0) throw new Error('wanted one memory without an upper bound');
    const most = mebibytes * pagesPerMebibyte;
    const body = Buffer.concat([1, 1, least.value, most].map(writeNumber));
    const section = Buffer.concat([Buffer.from([memorySection]), writeNumber(body.length), body]);
    return Buffer.concat([wasm.subarray(0, at), section, wasm.subarray(end)]);
  }
  throw new Error('wanted a module with a memory');
}
