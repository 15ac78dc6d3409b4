import type { Logger } from '../base/log.js';
import type { Meter } from '../model/meter.js';
import type { Place, Share } from '../model/place.js';
import { LoopDelay, tickMs } from './loop-delay.js';
import { Memory, type MemoryUse } from './memory.js';
import { Places, type ShedCode } from './places.js';

export type { ShedCode } from './places.js';
export type { MemoryUse } from './memory.js';
export { containerLimit, type CgroupPlaces } from './memory-limit.js';
export { inMebibytes, memoryParts, type Bounds, type MemoryPart } from './bounds.js';

/** May change while it runs. */
export interface PressureSettings {
  readonly maxRequests: number;
  readonly maxLoopDelayMs: number;
  /** Resident bytes at which memory counts as short; null for no ceiling. */
  readonly ceilingBytes: number | null;
}

export interface PressurePorts {
  readonly monotonicMs: () => number;
  readonly memory: () => MemoryUse;
  readonly meter: Meter;
  readonly log: Logger;
}

/** Decides from numbers that it has already whether a request may begin. Nothing of the request was read then. */
export interface Pressure {
  /** @param share of the address that the request comes from @returns its place, or why it has none */
  enter(share: Share): Place | ShedCode;
  set(settings: PressureSettings): void;
  stop(): void;
}

/** Looks at the loop between two looks at memory. */
const memoryEveryTicks = 5;
/** While memory is short so many places are left: collecting garbage needs somebody to make some, and an outage helps nobody. */
const placesWhenShort = 1 / 64;
/** A state that comes and goes is told at most so often. */
const tellEveryMs = 10_000;

/** Starts to look at loop and memory. Its timer keeps no process alive. */
export const startPressure = (settings: PressureSettings, ports: PressurePorts): Pressure =>
  new WatchedPressure(settings, ports);

class WatchedPressure implements Pressure {
  readonly #ports: PressurePorts;
  readonly #places: Places;
  readonly #delay: LoopDelay;
  readonly #memory: Memory;
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  #toldMs = -Infinity;

  constructor({ maxRequests, maxLoopDelayMs, ceilingBytes }: PressureSettings, ports: PressurePorts) {
    this.#ports = ports;
    this.#places = new Places(maxRequests);
    this.#delay = new LoopDelay(maxLoopDelayMs, ports.monotonicMs());
    this.#memory = new Memory(ceilingBytes);
    this.#timer = setInterval(this.#look.bind(this), tickMs).unref();
    ports.meter.gauge('places_taken', () => this.#places.held);
    ports.meter.gauge('shed_ratio', () => this.#delay.ratio);
    ports.meter.gauge('memory_short', () => Number(this.#memory.isShort));
  }

  enter(share: Share): Place | ShedCode {
    if (this.#delay.sheds()) return 'pressure.late';
    if (this.#memory.isShort && this.#places.held >= Math.ceil(this.#places.max * placesWhenShort))
      return 'pressure.memory';
    return this.#places.enter(share);
  }

  set({ maxRequests, maxLoopDelayMs, ceilingBytes }: PressureSettings): void {
    this.#places.max = maxRequests;
    this.#delay.maxMs = maxLoopDelayMs;
    this.#memory.ceiling = ceilingBytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = this.#ports.monotonicMs();
    const before = this.#delay.ratio;
    this.#delay.look(nowMs);
    if (before === 0 && this.#delay.ratio > 0) this.#tellLate(nowMs);
    this.#ticks += 1;
    if (this.#ticks % memoryEveryTicks === 0) this.#lookAtMemory();
  }

  #tellLate(nowMs: number): void {
    if (nowMs - this.#toldMs < tellEveryMs) return;
    this.#toldMs = nowMs;
    this.#ports.log.warn('pressure.late', { max_loop_delay_ms: this.#delay.maxMs, places_taken: this.#places.held });
  }

  #lookAtMemory(): void {
    const use = this.#ports.memory();
    if (!this.#memory.look(use)) return;
    const fields = {
      rss_bytes: use.rss,
      ceiling_bytes: this.#memory.ceiling,
      heap_used_bytes: use.heapUsed,
      heap_limit_bytes: use.heapLimit,
    };
    if (this.#memory.isShort) this.#ports.log.warn('pressure.memory', fields);
    else this.#ports.log.info('pressure.memory-enough', fields);
  }
}
