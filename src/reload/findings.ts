import type { Problem } from '../base/document.js';
import type { Result } from '../base/result.js';

/** What was read so far, and everything that is wrong with it. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  take<T>(result: Result<T, readonly Problem[]>): T | null {
    if (result.ok) return result.value;
    this.problems.push(...result.why);
    return null;
  }

  /** Takes what is told without a place: `path` is the field of the configuration that led to it. */
  takeAt<T>(path: string, result: Result<T, string | readonly string[]>): T | null {
    if (result.ok) return result.value;
    for (const message of typeof result.why === 'string' ? [result.why] : result.why) this.tell(path, message);
    return null;
  }

  /** What a name in the configuration leads to: that nothing has this name is told at the place of the name. */
  takeNamed<T>(path: string, name: string, result: Result<T, readonly Problem[]>): T | null {
    const isOfName = (problem: Problem): boolean => problem.file === name && problem.line === 0 && problem.path === '';
    if (result.ok || !result.why.every(isOfName)) return this.take(result); // a file that is there tells its own mistakes
    for (const { message } of result.why) this.tell(path, `"${name}" ${message}`);
    return null;
  }

  tell(path: string, message: string): void {
    this.problems.push({ file: this.#file, line: 0, column: 0, path, message });
  }
}
