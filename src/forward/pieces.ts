const collectedAtBytes = 8_388_608;
/** Smaller ones are cut from a buffer that they share, or live within V8's own heap. */
const pieceBytesMin = 16_384;

/**
 * Counts what has been passed on, and has V8 collect its young objects every 8 MiB. Each piece is a buffer outside of its heap, and it would look
 * at none before 32 MiB of them are lying about, whatever its flags say.
 */
export class Pieces {
  #bytes = 0;

  passed(bytes: number): void {
    if (bytes < pieceBytesMin) return;
    this.#bytes += bytes;
    if (this.#bytes < collectedAtBytes) return;
    this.#bytes = 0;
    globalThis.gc?.({ type: 'minor' }); // the launcher opens it
  }
}
