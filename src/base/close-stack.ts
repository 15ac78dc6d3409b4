/** What has been opened, so that it can be closed in the opposite order: when the process stops, and when its start fails half-way. */
export class CloseStack {
  readonly #steps: (() => void | Promise<void>)[] = [];
  #closing: Promise<void> | null = null;

  opened(close: () => void | Promise<void>): void {
    this.#steps.push(close);
  }

  /** Closes everything once, however often it is called. A step that fails keeps none of the others. @throws the first failure */
  close(): Promise<void> {
    return (this.#closing ??= this.#unwind());
  }

  async #unwind(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
