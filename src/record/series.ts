export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One family of series: what it is called, what it tells, how it is split. */
export interface MetricFamily {
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending; histograms only. */
  readonly buckets?: readonly number[];
}

// Label values come from our own tables; this is the net under them, so that no mistake can fill the memory.
const seriesMax = 2_000;
const overflow = 'other';

const escapeLabel = (value: string): string => value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

const labelText = (names: readonly string[], values: readonly string[]): string =>
  names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',');

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

/** A family's counts by label values, and its part of the exposition. */
export interface Series {
  text(name: string): string;
}

// Label values joined by a character that none of them holds.
const keyOf = (values: readonly string[]): string =>
  values.length === 1 ? (values[0] ?? '') : values.length === 0 ? '' : values.join('\n');

function entryFor<T>(entries: Map<string, T>, values: readonly string[], create: (labels: readonly string[]) => T): T {
  const key = keyOf(values);
  const found = entries.get(key);
  if (found !== undefined) return found;
  const labels = entries.size < seriesMax ? values : values.map(() => overflow);
  const target = keyOf(labels);
  const made = entries.get(target) ?? create(labels);
  entries.set(target, made);
  return made;
}

const headText = (name: string, { kind, help }: MetricFamily): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;

export class CounterSeries implements Series {
  readonly #family: MetricFamily;
  readonly #entries = new Map<string, { readonly labels: string; count: number }>();

  constructor(family: MetricFamily) {
    this.#family = family;
    if (family.labels.length === 0) this.add(0);
  }

  add(count: number, ...values: readonly string[]): void {
    const labels = this.#family.labels;
    entryFor(this.#entries, values, (shown) => ({ labels: labelText(labels, shown), count: 0 })).count += count;
  }

  text(name: string): string {
    let text = headText(name, this.#family);
    for (const { labels, count } of this.#entries.values()) text += `${name}${braced(labels)} ${String(count)}\n`;
    return text;
  }
}

interface Histogram {
  readonly labels: string;
  /** By bucket, the last one for what is above all bounds; not cumulative. */
  readonly counts: Float64Array;
  sum: number;
}

export class HistogramSeries implements Series {
  readonly #family: MetricFamily;
  readonly #bounds: readonly number[];
  readonly #entries = new Map<string, Histogram>();

  constructor(family: MetricFamily) {
    this.#family = family;
    this.#bounds = family.buckets ?? [];
    if (family.labels.length === 0) this.#entry([]);
  }

  observe(value: number, ...values: readonly string[]): void {
    const entry = this.#entry(values);
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? Infinity)) at += 1;
    entry.counts[at] = (entry.counts[at] ?? 0) + 1;
    entry.sum += value;
  }

  text(name: string): string {
    let text = headText(name, this.#family);
    for (const { labels, counts, sum } of this.#entries.values()) {
      const before = labels === '' ? '' : `${labels},`;
      let total = 0;
      counts.forEach((count, i) => {
        total += count;
        text += `${name}_bucket{${before}le="${String(this.#bounds[i] ?? '+Inf')}"} ${String(total)}\n`;
      });
      text += `${name}_sum${braced(labels)} ${String(sum)}\n${name}_count${braced(labels)} ${String(total)}\n`;
    }
    return text;
  }

  #entry(values: readonly string[]): Histogram {
    return entryFor(this.#entries, values, (shown) => ({
      labels: labelText(this.#family.labels, shown),
      counts: new Float64Array(this.#bounds.length + 1),
      sum: 0,
    }));
  }
}

/** Values that are read when somebody asks. */
export class GaugeSeries implements Series {
  readonly #family: MetricFamily;
  #read: (() => number) | null = null;

  constructor(family: MetricFamily) {
    this.#family = family;
  }

  bind(read: () => number): void {
    this.#read = read;
  }

  text(name: string): string {
    return this.#read === null ? '' : `${headText(name, this.#family)}${name} ${String(this.#read())}\n`;
  }
}

/** The same with one label: a line for each of its values. */
export class LabelledGaugeSeries implements Series {
  readonly #family: MetricFamily;
  #read: () => readonly (readonly [string, number])[] = () => [];

  constructor(family: MetricFamily) {
    this.#family = family;
  }

  bind(read: () => readonly (readonly [string, number])[]): void {
    this.#read = read;
  }

  text(name: string): string {
    const values = this.#read().slice(0, seriesMax);
    if (values.length === 0) return '';
    const line = ([label, value]: readonly [string, number]): string =>
      `${name}${braced(labelText(this.#family.labels, [label]))} ${String(value)}\n`;
    return headText(name, this.#family) + values.map(line).join('');
  }
}
