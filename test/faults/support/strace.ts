/** One system call of a trace; `began` and `ended` count the lines of the trace, which are in the order of what was seen. */
export interface SystemCall {
  readonly name: string;
  /** What `-yy` says of the first argument: a path, or `TCP:[…]`. */
  readonly place: string;
  /** The rest of the arguments, escaped as strace escapes. */
  readonly text: string;
  readonly began: number;
  readonly ended: number;
  readonly result: number;
}

const line = /^(\d+) +[\d.]+ (.*)$/;
const resumed = /^<\.\.\. (\w+) resumed>(.*)$/;
const whole = /^(\w+)\(\d+<(.*?)>(?=[,)])(?:, ?(.*))?\) += (-?\d+)/;
const unfinished = ' <unfinished ...>';

/** Reads the output of `strace -f -ttt -yy`, with calls that were interrupted by other threads put together. */
export function callsOf(trace: string): readonly SystemCall[] {
  const open = new Map<string, { readonly text: string; readonly began: number }>();
  const calls: SystemCall[] = [];
  for (const [number, each] of trace.split('\n').entries()) {
    const [, thread = '', what = ''] = line.exec(each) ?? [];
    const rest = resumed.exec(what);
    if (what.endsWith(unfinished)) {
      open.set(thread, { text: what.slice(0, -unfinished.length), began: number });
      continue;
    }
    const first = rest === null ? undefined : open.get(thread);
    const text = rest === null ? what : `${first?.text ?? ''}${rest[2] ?? ''}`;
    const [, name = '', place = '', args = '', result] = whole.exec(text) ?? [];
    if (result !== undefined)
      calls.push({ name, place, text: args, began: first?.began ?? number, ended: number, result: Number(result) });
  }
  return calls;
}
