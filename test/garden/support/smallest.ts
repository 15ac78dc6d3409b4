const triesMax = 80;

/** Cuts away what is not needed for `isBad` to hold: halves, quarters, and so on down to single bytes. */
export async function smallest(bytes: Buffer, isBad: (bytes: Buffer) => Promise<boolean>): Promise<Buffer> {
  let kept = bytes;
  let tries = 0;
  for (let size = kept.length >> 1; size >= 1 && tries < triesMax; size >>= 1) {
    for (let at = 0; at < kept.length && tries < triesMax;) {
      const less = Buffer.concat([kept.subarray(0, at), kept.subarray(at + size)]);
      tries += 1;
      if (less.length > 0 && (await isBad(less))) kept = less;
      else at += size;
    }
  }
  return kept;
}
