import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A directory as the kubelet fills it: names are links through `..data`, which is swapped for the next whole content. */
export class Volume {
  readonly dir: string;
  #count = 0;
  #former: string | null = null;

  constructor(dir: string) {
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  /** Puts a whole content in the place of the one before; the names stay the same ones. */
  swap(files: Readonly<Record<string, string>>): void {
    const next = `..2026_${String((this.#count += 1))}`;
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.dir, next, name)), { recursive: true });
      writeFileSync(join(this.dir, next, name), text);
    }
    symlinkSync(next, join(this.dir, '..data_tmp'));
    renameSync(join(this.dir, '..data_tmp'), join(this.dir, '..data'));
    if (this.#former === null) {
      const top = new Set(Object.keys(files).map((name) => name.split('/')[0] ?? name));
      for (const name of top) symlinkSync(join('..data', name), join(this.dir, name));
    } else rmSync(join(this.dir, this.#former), { recursive: true });
    this.#former = next;
  }
}
